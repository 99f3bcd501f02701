import { isNumber } from "modelyard/plugin";
import type { Json, JsonObject } from "modelyard/plugin";

type Said = Json | undefined;

/** The value if it is an object; else an empty one. */
export function objectOf(value: Said): JsonObject {
  const isObject = typeof value === "object" && value !== null && !isList(value);
  return isObject && !isNumber(value) ? value : {};
}

/** The value if it is a list. */
export function listOf(value: Said): readonly Json[] | undefined {
  return isList(value) ? value : undefined;
}

/** The value if it is a text that isn't empty. */
export function textOf(value: Said): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** The value if it is a number above 0: no server means a limit of 0. */
export function countOf(value: Said): number | undefined {
  return isNumber(value) && Number(value) > 0 ? Number(value) : undefined;
}

/** What stands at a path of member names. */
export function at(value: Said, path: string): Said {
  return path.split(".").reduce<Said>((inner, name) => objectOf(inner)[name], value);
}

function isList(value: Said): value is readonly Json[] {
  return Array.isArray(value);
}
