import type { JsonObject, Usage } from "modelyard/plugin";
import { numberOf, objectOf } from "./json.ts";
import type { Said } from "./json.ts";

/**
 * Anthropic's usage in the contract's words: its `input_tokens` are only those that the prompt cache had no part
 * in, so what was read from it and written to it is added.
 */
export function usageOf(raw: JsonObject): Usage {
  const cachedInput = numberOf(raw["cache_read_input_tokens"]);
  const cacheWrite = numberOf(raw["cache_creation_input_tokens"]);
  const uncached = numberOf(raw["input_tokens"]);
  const details = objectOf(raw["output_tokens_details"]);
  return {
    ...(uncached !== undefined && { input: uncached + (cachedInput ?? 0) + (cacheWrite ?? 0) }),
    ...count("cachedInput", cachedInput),
    ...count("cacheWrite", cacheWrite),
    ...count("output", numberOf(raw["output_tokens"])),
    ...count("reasoning", numberOf(details?.["thinking_tokens"])),
    raw,
  };
}

/** Two usage objects of one answer as one: the counts are cumulative, so the later ones count. */
export function laterUsage(before: JsonObject, after: Said): JsonObject {
  const news = Object.entries(objectOf(after) ?? {}).filter(([, value]) => value !== null);
  return { ...before, ...Object.fromEntries(news) };
}

function count(name: keyof Usage, tokens: number | undefined): Usage {
  return tokens === undefined ? {} : { [name]: tokens };
}
