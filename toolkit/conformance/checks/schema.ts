import type { TSchema } from "@sinclair/typebox";

/** A part of a schema, and where it stands. */
export interface Part {
  /** As `options.keys[].weight`. */
  readonly path: string;
  readonly name: string;
  /** True for a property that users write by its name. */
  readonly isNamed: boolean;
  readonly schema: TSchema;
}

/** All parts of a schema, at every depth. */
export function propertiesIn(schema: TSchema, path = "options"): Part[] {
  return partsOf(schema, path).flatMap((part) => [part, ...propertiesIn(part.schema, part.path)]);
}

function partsOf(schema: TSchema, path: string): Part[] {
  const named = Object.entries((schema["properties"] ?? {}) as Record<string, TSchema>).map(
    ([name, part]): Part => ({ path: `${path}.${name}`, name, isNamed: true, schema: part }),
  );
  const values = Object.values((schema["patternProperties"] ?? {}) as Record<string, TSchema>);
  const inner = [schema["additionalProperties"], ...values].map((part) => [`${path}.*`, part] as const);
  const items = [schema["items"]].flat().map((part) => [`${path}[]`, part] as const);
  const variants = [schema["anyOf"], schema["allOf"]].flat().map((part) => [path, part] as const);
  const unnamed = [...inner, ...items, ...variants].flatMap(([place, part]): Part[] =>
    isSchema(part) ? [{ path: place, name: "", isNamed: false, schema: part }] : [],
  );
  return [...named, ...unnamed];
}

function isSchema(part: unknown): part is TSchema {
  return typeof part === "object" && part !== null;
}
