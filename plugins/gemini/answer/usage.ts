import type { JsonObject, Usage } from "modelyard/plugin";
import { numberIn } from "../json.ts";

/** `usageMetadata` in the contract's words; Gemini counts thoughts beside the candidates, and tools' results beside the prompt. */
export function usageOf(raw: JsonObject): Usage {
  const thoughts = numberIn(raw, "thoughtsTokenCount");
  const cached = numberIn(raw, "cachedContentTokenCount");
  const input = sum(numberIn(raw, "promptTokenCount"), numberIn(raw, "toolUsePromptTokenCount"));
  const output = sum(numberIn(raw, "candidatesTokenCount"), thoughts);
  return {
    ...(input !== undefined && { input }),
    ...(cached !== undefined && { cachedInput: cached }),
    ...(output !== undefined && { output }),
    ...(thoughts !== undefined && { reasoning: thoughts }),
    raw,
  };
}

function sum(first: number | undefined, second: number | undefined): number | undefined {
  return first === undefined ? second : first + (second ?? 0);
}
