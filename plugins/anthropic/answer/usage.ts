import { asNumber, asObject, asObjects } from "modelyard/kit";
import type { MaybeJson } from "modelyard/kit";
import type { JsonObject, Usage } from "modelyard/plugin";

/**
 * Maps Anthropic's usage. Its `input_tokens` exclude tokens read from and written to the prompt cache, which are
 * added. Tokens of compactions are billed and only listed in `iterations`:
 * https://platform.claude.com/docs/en/build-with-claude/compaction
 */
export function usageOf(raw: JsonObject): Usage {
  const compactions = asObjects(raw["iterations"]).filter(({ type }) => type === "compaction");
  const countOf = (name: string) =>
    [raw, ...compactions].reduce<number | undefined>(
      (total, each) => sum(total, asNumber(each[name])),
      undefined,
    );
  const cachedInput = countOf("cache_read_input_tokens");
  const cacheWrite = countOf("cache_creation_input_tokens");
  const uncached = countOf("input_tokens");
  const details = asObject(raw["output_tokens_details"]);
  return {
    ...(uncached !== undefined && { input: uncached + (cachedInput ?? 0) + (cacheWrite ?? 0) }),
    ...count("cachedInput", cachedInput),
    ...count("cacheWrite", cacheWrite),
    ...count("output", countOf("output_tokens")),
    ...count("reasoning", asNumber(details?.["thinking_tokens"])),
    raw,
  };
}

/** Merges two usage objects of one answer. Counts are cumulative, so the larger ones win. */
export function mergeUsage(before: JsonObject, after: MaybeJson): JsonObject {
  const usage: Record<string, MaybeJson> = { ...before };
  for (const [name, value] of Object.entries(asObject(after) ?? {})) {
    const isLess = (asNumber(value) ?? Infinity) < (asNumber(usage[name]) ?? -Infinity);
    if (value !== null && !isLess) usage[name] = value;
  }
  return usage;
}

function sum(total: number | undefined, more: number | undefined): number | undefined {
  return more === undefined ? total : (total ?? 0) + more;
}

function count(name: keyof Usage, tokens: number | undefined): Usage {
  return tokens === undefined ? {} : { [name]: tokens };
}
