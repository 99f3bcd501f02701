import type { JsonObject, Usage } from "modelyard/plugin";
import { numberIn } from "../json.ts";

/**
 * Token counts in OpenAI's chat form (`prompt_tokens`, `completion_tokens`) or in its newer one (`input_tokens`,
 * `output_tokens`); undefined if there is neither.
 */
export function readUsage(raw: JsonObject): Usage | undefined {
  const input = numberIn(raw, "prompt_tokens") ?? numberIn(raw, "input_tokens");
  const output = numberIn(raw, "completion_tokens") ?? numberIn(raw, "output_tokens");
  if (input === undefined && output === undefined) return undefined;
  const inputDetails = raw["prompt_tokens_details"] ?? raw["input_tokens_details"];
  const outputDetails = raw["completion_tokens_details"] ?? raw["output_tokens_details"];
  const cachedInput = numberIn(inputDetails, "cached_tokens");
  const reasoning = numberIn(outputDetails, "reasoning_tokens");
  return {
    ...(input === undefined ? {} : { input }),
    ...(output === undefined ? {} : { output }),
    ...(cachedInput === undefined ? {} : { cachedInput }),
    ...(reasoning === undefined ? {} : { reasoning }),
    // Only this form is what OpenAI's clients understand.
    ...(numberIn(raw, "prompt_tokens") === undefined ? {} : { raw }),
  };
}
