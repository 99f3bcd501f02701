import type { JsonObject, Usage } from "../../contract/index.ts";
import { asNumber, asObject } from "../json/values.ts";
import type { MaybeJson } from "../json/values.ts";

/**
 * Returns OpenAI's usage object as the contract's `Usage`. https://platform.openai.com/docs/api-reference/chat/object, and for
 * the cache https://developers.openai.com/api/docs/guides/prompt-caching, which OpenRouter follows. Compatible servers
 * have other names for the same: DeepSeek for what was read (https://api-docs.deepseek.com/guides/kv_cache), LiteLLM
 * for what was written (https://docs.litellm.ai/docs/completion/prompt_caching).
 *
 * xAI counts reasoning beside `completion_tokens`, where OpenAI counts it within
 * (https://docs.x.ai/docs/key-information/consumption-and-rate-limits).
 */
export function usageOf(raw: JsonObject): Usage {
  const prompt = asObject(raw["prompt_tokens_details"]);
  const completion = asObject(raw["completion_tokens_details"]);
  const usage: Counted = { raw };
  count(usage, "input", raw["prompt_tokens"]);
  count(usage, "cachedInput", prompt?.["cached_tokens"] ?? raw["prompt_cache_hit_tokens"]);
  count(usage, "cacheWrite", prompt?.["cache_write_tokens"] ?? raw["cache_creation_input_tokens"]);
  count(usage, "output", raw["completion_tokens"]);
  count(usage, "reasoning", completion?.["reasoning_tokens"]);
  if (excludesReasoning(usage, asNumber(raw["total_tokens"]))) usage.output += usage.reasoning;
  return usage;
}

/** Returns whether `output` excludes the reasoning: the total shows it, or the reasoning is larger. */
function excludesReasoning(usage: Counted, total: number | undefined): usage is Counted & Reasoned {
  const { input = 0, output, reasoning } = usage;
  if (output === undefined || !reasoning) return false;
  return reasoning > output || total === input + output + reasoning;
}

type Reasoned = { output: number; reasoning: number };

type Counted = { -readonly [Name in keyof Usage]: Usage[Name] };

function count(usage: Counted, name: Exclude<keyof Usage, "raw">, value: MaybeJson): void {
  const tokens = asNumber(value);
  if (tokens !== undefined) usage[name] = tokens;
}
