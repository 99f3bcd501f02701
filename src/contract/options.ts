import { Type } from "@sinclair/typebox";
import type { SchemaOptions, TSchema, TUnsafe } from "@sinclair/typebox";

export { Type };
export type { Static, TSchema } from "@sinclair/typebox";

/** The mark by which the core finds secrets in a plugin's options. */
const SECRET = "x-modelyard-secret";

/** The mark by which the core finds durations in a plugin's options. */
const DURATION = "x-modelyard-duration";

/**
 * A string option that must never be seen: the core removes its value from logs, errors and status.
 * Written in gateway.yaml as `${NAME}` it comes from the environment.
 */
export function Secret(options: SchemaOptions = {}): TUnsafe<string> {
  return Type.Unsafe<string>({ minLength: 1, ...options, type: "string", [SECRET]: true });
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

/** True if a schema was made with `Duration()`. */
export function isDuration(schema: TSchema): boolean {
  return schema[DURATION] === true;
}
