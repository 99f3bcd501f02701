import type { Json, JsonObject } from "../contract/index.ts";
import { isNumber } from "../contract/index.ts";
import { parseLossless, parseWithSpellings } from "../json/lossless.ts";
import { isNestedTooDeep } from "../json/nesting.ts";

/** What an upstream said at one place of its JSON: a value, or nothing. */
export type MaybeJson = Json | undefined;

/** The value if it is an object. */
export function asObject(value: MaybeJson): JsonObject | undefined {
  return isObject(value) ? value : undefined;
}

/** The value if it is a list; else an empty list. */
export function asArray(value: MaybeJson): readonly Json[] {
  return Array.isArray(value) ? value : [];
}

/** The value if it is a string; else the empty string. */
export function asString(value: MaybeJson): string {
  return typeof value === "string" ? value : "";
}

/** The value if it is a number; of one that JavaScript can't hold, the nearest. */
export function asNumber(value: MaybeJson): number | undefined {
  return isNumber(value) ? Number(value) : undefined;
}

/** An object for members that others name: without a prototype, so that one called `__proto__` is like any other. */
export function emptyObject(): Record<string, MaybeJson> {
  return Object.create(null) as Record<string, MaybeJson>;
}

function isObject(value: MaybeJson): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !isNumber(value);
}

/**
 * The value of a JSON text that somebody else wrote; undefined if it is none, or has more than 500 levels of lists and
 * objects in one another, on which the engine spends seconds and gigabytes. Numbers that JavaScript can't hold, such as
 * 2512292042121000001 and 1e400, are `LosslessNumber`.
 */
export function parseJson(text: string): Json | undefined {
  return parsed(text, LONG.test(text) ? parseLossless : JSON.parse);
}

/**
 * The same for what is only to be handed on, such as the arguments of a tool call: all numbers that JavaScript would
 * write otherwise are `LosslessNumber`, 1.0 and 1E5 too.
 */
export function parseAsWritten(text: string): Json | undefined {
  return parsed(text, UNUSUAL.test(text) ? parseWithSpellings : JSON.parse);
}

function parsed(text: string, parse: (text: string) => unknown): Json | undefined {
  if (isNestedTooDeep(text)) return undefined;
  try {
    return parse(text) as Json;
  } catch {
    return undefined;
  }
}

// Where there may be such numbers. What stands in a text looks the same, which costs time and nothing else.
const LONG = /(?:^|[[:,])\s*-?(?:\d{16}|[\d.]+[eE](?:\+?\d\d|-\d{3}))/;
const UNUSUAL = /(?:^|[[:,])\s*(?:-?(?:\d{16}|\d+[.eE])|-0)/;

/** A text on one line, for an error's message: it is cut by the gateway, which takes the secrets out of it first. */
export function onOneLine(text: string): string {
  return text.slice(0, LONGEST_LINE).toWellFormed().replaceAll(/\s+/g, " ").trim();
}

const LONGEST_LINE = 16 * 1024;
