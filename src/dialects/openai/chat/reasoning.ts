import type { JsonObject, ReasoningEvent } from "../../../contract/index.ts";

/**
 * A piece of reasoning as OpenAI clients read it: `reasoning_content` is the text. What an upstream numbers or
 * signs must come back unchanged in the next turn, so it also stands in `reasoning_details` (OpenRouter's form):
 * pieces of one block have the same `index`, their texts are concatenated.
 */
export function reasoningFields(event: ReasoningEvent): JsonObject {
  const { text } = event;
  const details = detailsOf(event);
  return {
    ...(text !== "" && { reasoning_content: text }),
    ...(details.length > 0 && { reasoning_details: details }),
  };
}

/** The `reasoning_details` of a whole answer: one for each block, in the order in which they began. */
export class ReasoningDetails {
  readonly #blocks = new Map<string, Detail>();

  take(event: ReasoningEvent): void {
    for (const piece of detailsOf(event)) {
      const key = `${piece.type} ${piece.index}`;
      const block = this.#blocks.get(key);
      if (!block) this.#blocks.set(key, { ...piece });
      else {
        if (piece.text !== undefined) block.text = (block.text ?? "") + piece.text;
        if (piece.signature !== undefined) block.signature = piece.signature;
        if (piece.data !== undefined) block.data = piece.data;
      }
    }
  }

  list(): readonly JsonObject[] {
    return [...this.#blocks.values()].map((block) => ({ ...block }));
  }
}

interface Detail {
  readonly type: "reasoning.text" | "reasoning.encrypted";
  text?: string;
  signature?: string;
  data?: string;
  readonly index: number;
}

function detailsOf({ text, block, signature, redacted }: ReasoningEvent): (Detail & JsonObject)[] {
  const index = block ?? 0;
  const details: (Detail & JsonObject)[] = [];
  const isText = text !== "" && (block !== undefined || signature !== undefined);
  if (isText || signature !== undefined) {
    details.push({
      type: "reasoning.text",
      ...(isText && { text }),
      ...(signature !== undefined && { signature }),
      index,
    });
  }
  if (redacted !== undefined) details.push({ type: "reasoning.encrypted", data: redacted, index });
  return details;
}
