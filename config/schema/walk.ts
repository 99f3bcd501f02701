import { Kind } from "@sinclair/typebox";
import type { TSchema } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import type { ConfigDocument, Path } from "../document/document.ts";

/** The document and the path that a checked value comes from. */
export interface Location {
  readonly document: ConfigDocument;
  readonly path: Path;
}

/** Returns the location of a part of a map or a list. */
export function partLocation(location: Location, step: string | number): Location {
  return { document: location.document, path: [...location.path, step] };
}

/** Returns whether a value is an object, as a YAML map is read. */
export function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Returns the schemas of a map's fixed keys. */
export function propertiesOf(schema: TSchema): Readonly<Record<string, TSchema>> {
  return (schema["properties"] ?? {}) as Record<string, TSchema>;
}

/** Returns the schema of a map's key or a list's item, if there is one. */
export function schemaOfPart(schema: TSchema, step: string | number): TSchema | undefined {
  if (typeof step === "number") {
    return Array.isArray(schema["items"]) ? schema["items"][step] : schema["items"];
  }
  const properties = propertiesOf(schema);
  if (Object.hasOwn(properties, step)) return properties[step];
  const patterns = Object.entries((schema["patternProperties"] ?? {}) as Record<string, TSchema>);
  const [, matching] = patterns.find(([pattern]) => new RegExp(pattern).test(step)) ?? [];
  const others: unknown = schema["additionalProperties"];
  return matching ?? (isMap(others) ? (others as TSchema) : undefined);
}

/** Returns the changed value; `step` is the key or position of a part, and undefined for the value itself. */
export type Change = (schema: TSchema, value: unknown, step?: string | number) => unknown;

/**
 * Returns a copy of a value whose parts were changed under the schemas they have: the keys of a map, the items of a
 * list, or the value itself under each part of an intersection or the matching alternative of a union. What the schema
 * says nothing about stays as it is.
 */
export function changeParts(schema: TSchema, value: unknown, change: Change): unknown {
  if (Array.isArray(schema["allOf"])) {
    return (schema["allOf"] as TSchema[]).reduce((changed, inner) => change(inner, changed), value);
  }
  if (variantsOf(schema).length > 0) {
    const variant = matchVariant(schema, value);
    return variant ? change(variant, value) : value;
  }
  const changePart = (step: string | number, part: unknown) => {
    const inner = schemaOfPart(schema, step);
    return inner ? change(inner, part, step) : part;
  };
  if (Array.isArray(value)) return value.map((item, index) => changePart(index, item));
  if (!isMap(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, changePart(key, part)]));
}

/** Returns the alternatives of a union, and none for any other schema. */
export function variantsOf(schema: TSchema): readonly TSchema[] {
  return (schema["anyOf"] as TSchema[] | undefined) ?? [];
}

/**
 * Returns the alternative of a union that a value was meant to be: the one it fits, else the only one that is a map or a
 * list like it, among several maps the one of which it has the fixed values (as `type: header`).
 */
export function matchVariant(schema: TSchema, value: unknown): TSchema | undefined {
  const fitting = variantsOf(schema).find((variant) => Value.Check(variant, value));
  if (fitting) return fitting;
  const alike = variantsOf(schema).filter((variant) => isContainerLike(variant, value));
  if (alike.length < 2) return alike[0];
  const tagged = alike.filter((variant) => hasFixedValues(variant, value));
  return tagged.length === 1 ? tagged[0] : undefined;
}

function isContainerLike(schema: TSchema, value: unknown): boolean {
  if (Array.isArray(value)) return schema[Kind] === "Array" || schema[Kind] === "Tuple";
  return isMap(value) && (schema[Kind] === "Object" || schema[Kind] === "Record");
}

function hasFixedValues(schema: TSchema, value: unknown): boolean {
  const fixed = Object.entries(propertiesOf(schema)).filter(([, part]) => "const" in part);
  return fixed.length > 0 && isMap(value) && fixed.every(([name, part]) => value[name] === part["const"]);
}
