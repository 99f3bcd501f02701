import type { JsonObject, Usage } from "../../contract/index.ts";
import { numberOf, objectOf } from "../json.ts";
import type { Said } from "../json.ts";

/** OpenAI's usage object in the contract's words. https://platform.openai.com/docs/api-reference/chat/object */
export function usageOf(raw: JsonObject): Usage {
  const prompt = objectOf(raw["prompt_tokens_details"]);
  const completion = objectOf(raw["completion_tokens_details"]);
  return {
    ...count("input", raw["prompt_tokens"]),
    ...count("cachedInput", prompt?.["cached_tokens"]),
    ...count("output", raw["completion_tokens"]),
    ...count("reasoning", completion?.["reasoning_tokens"]),
    raw,
  };
}

function count(name: keyof Usage, value: Said): Usage {
  const tokens = numberOf(value);
  return tokens === undefined ? {} : { [name]: tokens };
}
