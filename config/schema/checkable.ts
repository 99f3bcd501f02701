import { FormatRegistry, Kind, Type } from "@sinclair/typebox";
import type { TSchema } from "@sinclair/typebox";
import { numberFormatOf } from "./value-types.ts";

const KINDS: Readonly<Record<string, string>> = {
  string: "String",
  number: "Number",
  integer: "Integer",
  boolean: "Boolean",
  null: "Null",
  array: "Array",
  object: "Object",
};

/** Keywords that TypeBox requires of a kind and plain JSON Schema may leave out. */
const PARTS: Readonly<Record<string, object>> = {
  Array: { items: Type.Unknown() },
  Object: { properties: {} },
};

/**
 * Returns a copy of a schema that TypeBox can check; it refuses `Type.Unsafe` (so `Duration()` and `Secret()`), plain JSON
 * Schema and unknown formats.
 */
export function toCheckable(schema: TSchema): TSchema {
  const copy: Record<string | symbol, unknown> = { ...withKind(schema) };
  for (const keyword of ["properties", "patternProperties", "$defs"]) {
    if (isRecord(copy[keyword]))
      copy[keyword] = Object.fromEntries(
        Object.entries(copy[keyword]).map(([name, schema]) => [name, toCheckable(schema as TSchema)]),
      );
  }
  for (const keyword of ["items", "additionalProperties", "not", "contains", "anyOf", "allOf"]) {
    const part = copy[keyword];
    if (Array.isArray(part)) copy[keyword] = part.map(toCheckable);
    else if (isRecord(part)) copy[keyword] = toCheckable(part as TSchema);
  }
  if (typeof copy["format"] === "string" && !FormatRegistry.Has(copy["format"])) delete copy["format"];
  return copy as unknown as TSchema;
}

/** Returns the schema with a kind that TypeBox knows. */
function withKind(schema: TSchema): TSchema {
  const kind: unknown = schema[Kind];
  const form = numberFormatOf(schema);
  if (form) return { ...schema, [Kind]: "Union", anyOf: [Type.Integer(), Type.String()] };
  if (typeof kind === "string" && kind !== "Unsafe") return schema;
  if (Array.isArray(schema["enum"])) {
    return { ...schema, [Kind]: "Union", anyOf: schema["enum"].map((value) => Type.Literal(value)) };
  }
  if ("const" in schema) return { ...schema, [Kind]: "Literal" };
  if (Array.isArray(schema["anyOf"])) return { ...schema, [Kind]: "Union" };
  const named = KINDS[String(schema["type"])] ?? "Unknown";
  return { ...PARTS[named], ...schema, [Kind]: named };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
