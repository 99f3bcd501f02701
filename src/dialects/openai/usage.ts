import type { Json, JsonObject, Usage } from "../../contract/index.ts";
import { isNumber } from "../../contract/index.ts";

/** Usage as OpenAI's clients read it; the upstream's own object where it already speaks OpenAI. */
export function usageBody(usage: Usage): JsonObject {
  const { input = 0, output = 0, cachedInput, reasoning, raw } = usage;
  const body: Record<string, Json | undefined> = isNumber(raw?.["prompt_tokens"]) ? { ...raw } : {};
  body["prompt_tokens"] = input;
  body["completion_tokens"] = output;
  body["total_tokens"] ??= input + output;
  if (cachedInput !== undefined) body["prompt_tokens_details"] ??= { cached_tokens: cachedInput };
  if (reasoning !== undefined) body["completion_tokens_details"] ??= { reasoning_tokens: reasoning };
  return body;
}
