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

/** A text on one line, for an error's message: it is cut by the gateway, which takes the secrets out of it first. */
export function onOneLine(text: string): string {
  return text.slice(0, LONGEST_LINE).toWellFormed().replaceAll(/\s+/g, " ").trim();
}

const LONGEST_LINE = 16 * 1024;
