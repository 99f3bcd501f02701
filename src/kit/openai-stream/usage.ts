import type { JsonObject, Usage } from "../../contract/index.ts";
import { numberOf, objectOf } from "../json.ts";
import type { Said } from "../json.ts";

/**
 * OpenAI's usage object in the contract's words. https://platform.openai.com/docs/api-reference/chat/object, and for
 * the cache https://developers.openai.com/api/docs/guides/prompt-caching, which OpenRouter follows. Compatible servers
 * have other names for the same: DeepSeek for what was read (https://api-docs.deepseek.com/guides/kv_cache), LiteLLM
 * for what was written (https://docs.litellm.ai/docs/completion/prompt_caching).
 */
export function usageOf(raw: JsonObject): Usage {
  const prompt = objectOf(raw["prompt_tokens_details"]);
  const completion = objectOf(raw["completion_tokens_details"]);
  return {
    ...count("input", raw["prompt_tokens"]),
    ...count("cachedInput", prompt?.["cached_tokens"] ?? raw["prompt_cache_hit_tokens"]),
    ...count("cacheWrite", prompt?.["cache_write_tokens"] ?? raw["cache_creation_input_tokens"]),
    ...count("output", raw["completion_tokens"]),
    ...count("reasoning", completion?.["reasoning_tokens"]),
    raw,
  };
}

function count(name: keyof Usage, value: Said): Usage {
  const tokens = numberOf(value);
  return tokens === undefined ? {} : { [name]: tokens };
}
