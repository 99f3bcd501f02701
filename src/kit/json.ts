import type { Json, JsonObject } from "../contract/index.ts";
import { isNestedTooDeep } from "../contract/nesting.ts";

/** What an upstream said at one place of its JSON: a value, or nothing. */
export type Said = Json | undefined;

/** The value if it is an object. */
export function objectOf(value: Said): JsonObject | undefined {
  return isObject(value) ? value : undefined;
}

/** The value if it is a list; else an empty list. */
export function listOf(value: Said): readonly Json[] {
  return Array.isArray(value) ? value : [];
}

/** The value if it is a string; else the empty string. */
export function textOf(value: Said): string {
  return typeof value === "string" ? value : "";
}

/** The value if it is a number. */
export function numberOf(value: Said): number | undefined {
  return typeof value === "number" ? value : undefined;
}

/** An object for members that others name: without a prototype, so that one called `__proto__` is like any other. */
export function emptyObject(): Record<string, Said> {
  return Object.create(null) as Record<string, Said>;
}

function isObject(value: Said): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * The value of a JSON text that somebody else wrote; undefined if it is none, or has more than 500 levels of lists and
 * objects in one another, on which the engine spends seconds and gigabytes.
 */
export function parseJson(text: string): Json | undefined {
  if (isNestedTooDeep(text)) return undefined;
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}

/** At most `length` characters of a text, on one line. */
export function excerpt(text: string, length: number): string {
  const line = text
    .slice(0, length * 4)
    .replaceAll(/\s+/g, " ")
    .trim();
  return line.length <= length ? line : `${line.slice(0, length - 1).toWellFormed()}…`;
}
