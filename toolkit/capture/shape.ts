import type { Json } from "../../src/contract/index.ts";
import { isId } from "./path-template.ts";

/** A path within a value and the JSON type there: `.choices[].delta.content`, `string`. */
export type Place = readonly [path: string, type: string];

/** Returns every path of a JSON value, the value itself first. Keys that are ids become `:id`. */
export function placesOf(value: Json, path = ""): Place[] {
  const here: Place = [path, typeName(value)];
  if (Array.isArray(value)) {
    return [here, ...value.flatMap((item: Json) => placesOf(item, `${path}[]`))];
  }
  if (typeof value !== "object" || value === null) return [here];
  const members = Object.entries(value).flatMap(([key, member]) =>
    member === undefined ? [] : placesOf(member, `${path}.${isId(key) ? ":id" : key}`),
  );
  return [here, ...members];
}

function typeName(value: Json): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "array" : typeof value;
}
