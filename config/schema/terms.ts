import { Duration } from "../../src/contract/options.ts";

/** 24 days: the platform's timers can't wait for more than 2^31 - 1 ms. */
const LONGEST = 24 * 86_400_000;
/** A map in which an unknown key is a mistake. */
export const strict = { additionalProperties: false };

/** A duration that a timer can wait for, more than 0; `value` is its default. */
export function wait(value: string, description: string) {
  return Duration({ default: value, minimum: 1, maximum: LONGEST, description });
}
