import type { Json } from "../contract/json.ts";
import { LosslessNumber } from "../contract/lossless-number.ts";

/** The reviver's third parameter of ECMAScript 2026, which TypeScript's library lacks. */
interface JsonWithSource {
  parse(text: string, reviver: (name: string, value: Json, context: { source?: string }) => Json): Json;
}

const json = JSON as unknown as JsonWithSource;

/**
 * `JSON.parse`, with the numbers that JavaScript can't hold (whole ones beyond 2^53, those beyond all doubles, and those
 * too small for one) as `LosslessNumber`.
 */
export function parseLossless(text: string): Json {
  return parse(text, isBeyondNumbers);
}

/** `JSON.parse`, with all numbers that JavaScript would write otherwise, 1.0 and 1E5 too, as `LosslessNumber`. */
export function parseWithSpellings(text: string): Json {
  return parse(text, isSpelledOtherwise);
}

/** Returns whether JavaScript can't hold a JSON number; a fraction that loses digits doesn't count. */
export function isBeyondNumbers(value: number, source: string): boolean {
  if (value === 0) return /^-?[0.]*[1-9]/.test(source);
  return Math.abs(value) > Number.MAX_SAFE_INTEGER && String(value) !== source;
}

function isSpelledOtherwise(value: number, source: string): boolean {
  return JSON.stringify(value) !== source;
}

type Keeps = (value: number, source: string) => boolean;

function parse(text: string, keeps: Keeps): Json {
  // Costs several times what parsing without it does.
  return json.parse(text, (_name, value, { source = "" }) =>
    typeof value === "number" && keeps(value, source) ? new LosslessNumber(source) : value,
  );
}
