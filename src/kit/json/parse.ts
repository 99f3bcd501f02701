import type { Json } from "../../contract/index.ts";
import { parseLossless, parseWithSpellings } from "../../json/lossless.ts";
import { isNestedTooDeep } from "../../json/nesting.ts";

/**
 * Returns the value of a JSON text; undefined if the text is no JSON, or nested deeper than 500 levels, for which the
 * engine needs seconds and gigabytes. Numbers that JavaScript can't hold, such as 2512292042121000001 and 1e400, become
 * `LosslessNumber`.
 */
export function parseJson(text: string): Json | undefined {
  return tryParse(text, MAYBE_LONG_NUMBER.test(text) ? parseLossless : JSON.parse);
}

/**
 * Returns the value as `parseJson` does, for values that are only forwarded, such as the arguments of a tool call: every
 * number that JavaScript would write differently becomes `LosslessNumber`, 1.0 and 1E5 too.
 */
export function parseAsWritten(text: string): Json | undefined {
  return tryParse(text, MAYBE_UNUSUAL_NUMBER.test(text) ? parseWithSpellings : JSON.parse);
}

function tryParse(text: string, parse: (text: string) => unknown): Json | undefined {
  if (isNestedTooDeep(text)) return undefined;
  try {
    return parse(text) as Json;
  } catch {
    return undefined;
  }
}

// Match texts that may hold such numbers. A match within a string costs time and nothing else.
const MAYBE_LONG_NUMBER = /(?:^|[[:,])\s*-?(?:\d{16}|[\d.]+[eE](?:\+?\d\d|-\d{3}))/;
const MAYBE_UNUSUAL_NUMBER = /(?:^|[[:,])\s*(?:-?(?:\d{16}|\d+[.eE])|-0)/;
