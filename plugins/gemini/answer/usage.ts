import { asNumber } from "modelyard/kit";
import type { JsonObject, Usage } from "modelyard/plugin";

/** Maps `usageMetadata`. Gemini counts thoughts apart from the candidates, and tool results apart from the prompt. */
export function usageOf(raw: JsonObject): Usage {
  const thoughts = asNumber(raw["thoughtsTokenCount"]);
  const cached = asNumber(raw["cachedContentTokenCount"]);
  const input = sum(asNumber(raw["promptTokenCount"]), asNumber(raw["toolUsePromptTokenCount"]));
  const output = sum(asNumber(raw["candidatesTokenCount"]), thoughts);
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
