import type { JsonObject, Usage } from "../../contract/index.ts";

/** Usage as OpenAI's clients read it; the upstream's own object where it already speaks OpenAI. */
export function usageBody(usage: Usage): JsonObject {
  const { input = 0, output = 0, raw } = usage;
  const own = typeof raw?.["prompt_tokens"] === "number" ? raw : undefined;
  return {
    ...details(usage),
    ...own,
    prompt_tokens: input,
    completion_tokens: output,
    total_tokens: own?.["total_tokens"] ?? input + output,
  };
}

function details(usage: Usage): JsonObject {
  const { cachedInput, reasoning } = usage;
  return {
    ...(cachedInput !== undefined && { prompt_tokens_details: { cached_tokens: cachedInput } }),
    ...(reasoning !== undefined && { completion_tokens_details: { reasoning_tokens: reasoning } }),
  };
}
