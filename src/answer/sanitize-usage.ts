import type { Usage } from "../contract/index.ts";
import { isObject } from "../contract/json.ts";

type Count = Exclude<keyof Usage, "raw">;

const COUNTS: readonly Count[] = ["input", "cachedInput", "cacheWrite", "output", "reasoning"];

/**
 * Returns a usage that limits, prices and the ledger can rely on: an invalid count (negative, `NaN`, a string) is
 * absent, and a part is not more than its whole. Returns the same object if nothing is wrong, which is nearly always;
 * otherwise the upstream's own object (`raw`) is left out.
 */
export function sanitizeUsage(usage: Usage): Usage {
  const isSound = COUNTS.every((name) => usage[name] === undefined || isCount(usage[name]));
  return bounded(isSound && isObject(usage.raw ?? {}) ? usage : countsOf(usage));
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function countsOf(usage: Usage): Usage {
  return Object.fromEntries(COUNTS.flatMap((name) => (isCount(usage[name]) ? [[name, usage[name]]] : [])));
}

function bounded(usage: Usage): Usage {
  const { input, cachedInput, cacheWrite, output, reasoning } = usage;
  const isWithin =
    (input === undefined || (cachedInput ?? 0) + (cacheWrite ?? 0) <= input) &&
    (output === undefined || (reasoning ?? 0) <= output);
  if (isWithin) return usage;
  const cached = Math.min(cachedInput ?? 0, input ?? Infinity);
  return {
    ...usage,
    ...(cachedInput !== undefined && { cachedInput: cached }),
    ...(cacheWrite !== undefined && { cacheWrite: Math.min(cacheWrite, (input ?? Infinity) - cached) }),
    ...(reasoning !== undefined && { reasoning: Math.min(reasoning, output ?? Infinity) }),
  };
}
