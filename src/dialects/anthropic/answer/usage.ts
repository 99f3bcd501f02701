import type { JsonObject, Usage } from "../../../contract/index.ts";
import { isNumber } from "../../../contract/index.ts";

/**
 * Returns a usage as Anthropic's clients read it, with zeros for unknown counts, which they read without looking. The
 * upstream's own object where that has this form.
 */
export function usageBody(usage: Usage): JsonObject {
  const { input = 0, output = 0, cachedInput = 0, cacheWrite = 0, reasoning, raw } = usage;
  const counts = {
    input_tokens: input - cachedInput - cacheWrite,
    cache_creation_input_tokens: cacheWrite,
    cache_read_input_tokens: cachedInput,
    output_tokens: output,
    ...(reasoning !== undefined && { output_tokens_details: { thinking_tokens: reasoning } }),
  };
  // OpenAI's usage of other endpoints has such a name, too, and a total.
  const isOwn = raw && isNumber(raw["input_tokens"]) && raw["total_tokens"] === undefined;
  return isOwn ? { ...counts, ...raw } : counts;
}
