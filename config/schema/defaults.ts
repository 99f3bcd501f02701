import type { TSchema } from "@sinclair/typebox";
import { formOf } from "./forms.ts";
import { isMap, partOf, variantFor, variantsOf } from "./walk.ts";

/**
 * A copy of a value with the schema's defaults where nothing is. TypeBox's `Value.Default` won't do: it merges a
 * value into its default, so that a map passes for a list, and it skips the values of records.
 */
export function withDefaults(schema: TSchema, value: unknown): unknown {
  if (value === undefined) {
    return "default" in schema ? withDefaults(schema, structuredClone(schema.default)) : undefined;
  }
  if (formOf(schema)) return value;
  if (Array.isArray(schema["allOf"])) {
    return (schema["allOf"] as TSchema[]).reduce<unknown>((part, inner) => withDefaults(inner, part), value);
  }
  if (variantsOf(schema).length > 0) {
    const variant = variantFor(schema, value);
    return variant ? withDefaults(variant, value) : value;
  }
  if (Array.isArray(value)) return value.map((item, index) => part(schema, index, item));
  if (!isMap(value)) return value;
  const missing = Object.keys((schema["properties"] ?? {}) as Record<string, TSchema>).filter(
    (key) => !Object.hasOwn(value, key),
  );
  const keys = [...Object.keys(value), ...missing];
  const filled = keys.map((key) => {
    return [key, part(schema, key, missing.includes(key) ? undefined : value[key])] as const;
  });
  return Object.fromEntries(filled.filter(([, inner]) => inner !== undefined));
}

function part(schema: TSchema, step: string | number, value: unknown): unknown {
  const inner = partOf(schema, step);
  return inner ? withDefaults(inner, value) : value;
}
