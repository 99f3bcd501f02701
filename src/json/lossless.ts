import type { Json } from "../contract/json.ts";
import { LosslessNumber } from "../contract/lossless-number.ts";

/** As ECMAScript 2026 has it, which TypeScript's library doesn't know yet. */
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

/** Whether a JSON number stands for one that JavaScript can't hold; no fraction counts as one that loses digits. */
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
