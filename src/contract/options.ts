import { Type } from "@sinclair/typebox";
import type { ObjectOptions, SchemaOptions, TRecord, TSchema, TString, TUnsafe } from "@sinclair/typebox";

export { Type };
export type { Static, TSchema } from "@sinclair/typebox";

/** The mark by which the core finds secrets in a plugin's options. */
const SECRET = "x-modelyard-secret";

/** The mark by which the core finds durations in a plugin's options. */
const DURATION = "x-modelyard-duration";

/** The mark by which the core finds what is sent in headers. */
const SENT = "x-modelyard-sent";

export interface SecretOptions extends SchemaOptions {
  /**
   * Where it is sent, which says what it can hold. White space at its ends is dropped from a `key` (visible ASCII) and
   * a `header` (visible ASCII and blanks within), and anything else in it, or quotes around it, is a mistake of the
   * file. `text` can hold anything. Default: `key`.
   */
  readonly sentAs?: "key" | "header" | "text";
}

/**
 * A string option that must never be seen: the core removes its value from logs, errors and status.
 * Written in gateway.yaml as `${NAME}` it comes from the environment.
 */
export function Secret({ sentAs = "key", ...options }: SecretOptions = {}): TUnsafe<string> {
  const secret = { minLength: 1, ...options, type: "string", [SECRET]: true };
  return Type.Unsafe<string>(sentAs === "text" ? secret : { ...secret, [SENT]: sentAs });
}

/** A string option that is sent as a header's value, and is no secret: it can hold what `Secret` says of a `header`. */
export function HeaderValue(options: SchemaOptions = {}): TUnsafe<string> {
  return Type.Unsafe<string>({ minLength: 1, ...options, type: "string", [SENT]: "header" });
}

/** An option of headers by their names: the values are secrets. */
export function HeaderMap(options: ObjectOptions = {}): TRecord<TString, TUnsafe<string>> {
  const name = Type.String({ pattern: "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$" });
  const propertyNames = { description: "a header's name" };
  return Type.Record(name, Secret({ sentAs: "header" }), {
    additionalProperties: false,
    propertyNames,
    ...options,
  });
}

/**
 * A duration option, written `250ms`, `30s`, `10m` or `24h` in gateway.yaml (so is its `default`) and given
 * to the plugin as a number of milliseconds.
 */
export function Duration(options: SchemaOptions = {}): TUnsafe<number> {
  return Type.Unsafe<number>({
    ...options,
    type: "string",
    pattern: "^\\d+(\\.\\d+)?(ms|s|m|h|d)$",
    [DURATION]: true,
  });
}

/** True if a schema was made with `Secret()`. */
export function isSecret(schema: TSchema): boolean {
  return schema[SECRET] === true;
}

/** How a schema's value is sent in a header; undefined if it isn't, or if that isn't known. */
export function sentAs(schema: TSchema): "key" | "header" | undefined {
  const sent: unknown = schema[SENT];
  return sent === "key" || sent === "header" ? sent : undefined;
}

/** True if a schema was made with `Duration()`. */
export function isDuration(schema: TSchema): boolean {
  return schema[DURATION] === true;
}
