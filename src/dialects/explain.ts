import type { TSchema } from "@sinclair/typebox";
import { Type } from "@sinclair/typebox";
import type { TypeCheck } from "@sinclair/typebox/compiler";
import type { ValueError } from "@sinclair/typebox/errors";
import { ValueErrorType } from "@sinclair/typebox/errors";
import { isNumber } from "../contract/index.ts";
import { GatewayError } from "../errors/gateway-error.ts";

/** An optional field; clients write null for what they leave out. */
export function Nullable<T extends TSchema>(schema: T) {
  return Type.Optional(Type.Union([schema, Type.Null()]));
}

/** Why a body doesn't fit a schema, as the error for the client: what was wrong, where, and what is expected. */
export function explain(schema: TypeCheck<TSchema>, body: unknown): GatewayError {
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    return new GatewayError("invalid_value", `the body must be a JSON object, and is ${kind(body)}`);
  }
  const error = deepest(schema.Errors(body).First());
  const param = error ? fieldName(error.path) : undefined;
  if (error?.type === ValueErrorType.ObjectRequiredProperty) {
    return new GatewayError("missing_required_parameter", `missing required parameter: ${param}`, { param });
  }
  const found = error ? `, found ${kind(error.value)}` : "";
  return new GatewayError("invalid_value", `${param}: ${wanted(error)}${found}`, { param });
}

/** Of a union's errors the one that got furthest: it says most about what was meant. */
function deepest(error: ValueError | undefined): ValueError | undefined {
  if (error?.type !== ValueErrorType.Union) return error;
  const inner = error.errors.flatMap((errors) => [...errors]).map((nested) => deepest(nested) ?? nested);
  const furthest = inner.filter(({ path }) => path.length > error.path.length);
  return furthest[0] ?? error;
}

function wanted(error: ValueError | undefined): string {
  if (!error) return "invalid";
  if (error.type !== ValueErrorType.Union) return error.message.replace(/^Expected/, "expected");
  return `expected ${alternatives(error.schema).join(" or ")}`;
}

/** A union in words: `string or list or null`. */
function alternatives(schema: TSchema): string[] {
  const { anyOf } = schema as { anyOf?: TSchema[] };
  if (anyOf) return [...new Set(anyOf.flatMap(alternatives))];
  const { const: literal, type } = schema as { const?: unknown; type?: string };
  if (literal !== undefined) return [JSON.stringify(literal)];
  if (type === "integer") return [`integer${rangeOf(schema)}`];
  return [type === "array" ? "list" : String(type)];
}

function rangeOf(schema: TSchema): string {
  const { minimum, maximum } = schema as { minimum?: number; maximum?: number };
  return minimum === undefined || maximum === undefined ? "" : ` from ${minimum} to ${maximum}`;
}

/** `/messages/0/role` as clients know it: `messages[0].role`. */
function fieldName(path: string): string {
  return path
    .slice(1)
    .replace(/\/(\d+)(?=\/|$)/g, "[$1]")
    .replaceAll("/", ".");
}

function kind(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : "a list";
  if (value === "") return "an empty string";
  if (isNumber(value)) return "a number";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}
