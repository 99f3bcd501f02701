import { isNumber } from "modelyard/plugin";
import type { Json, JsonObject } from "modelyard/plugin";

/** The same with U+FFFD for each half of a surrogate pair: a socket's packets are written by its library. */
export function wellFormed(value: JsonObject): JsonObject {
  const members = Object.entries(value).map(([name, each]) => [name.toWellFormed(), inner(each)] as const);
  return Object.fromEntries(members);
}

function inner(value: Json | undefined): Json | undefined {
  if (typeof value === "string") return value.toWellFormed();
  if (typeof value !== "object" || value === null || isNumber(value)) return value;
  return isList(value) ? value.map((each) => inner(each) ?? null) : wellFormed(value);
}

function isList(value: readonly Json[] | JsonObject): value is readonly Json[] {
  return Array.isArray(value);
}
