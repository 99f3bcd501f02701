import { isNumber } from "./lossless-number.ts";
import type { LosslessNumber } from "./lossless-number.ts";

/** What JSON can say (RFC 8259). */
export type Json = string | number | boolean | null | readonly Json[] | JsonObject | LosslessNumber;

/** A JSON object. `undefined` members are allowed because JSON.stringify leaves them out. */
export interface JsonObject {
  readonly [key: string]: Json | undefined;
}

/** Returns whether a value is a JSON object: no array, not null and no `LosslessNumber`. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !isNumber(value);
}
