import type { JsonObject, ReasoningEvent } from "../../contract/index.ts";

/**
 * A piece of reasoning as OpenAI clients read it: `reasoning_content` is the text; signatures and redacted
 * blocks, which must come back unchanged in the next turn, stand in `reasoning_details` (OpenRouter's form).
 */
export function reasoningFields(event: ReasoningEvent): JsonObject {
  const { text, block: index = 0, signature, redacted } = event;
  const details: JsonObject[] = [];
  if (signature !== undefined) details.push({ type: "reasoning.text", signature, index });
  if (redacted !== undefined) details.push({ type: "reasoning.encrypted", data: redacted, index });
  return {
    ...(text !== "" && { reasoning_content: text }),
    ...(details.length > 0 && { reasoning_details: details }),
  };
}
