import type { FoldedFields, Json, JsonObject } from "../../../../contract/index.ts";
import { foldExtra } from "../../../../contract/index.ts";
import type { ItemStatus } from "./item.ts";
import { OutputItem } from "./item.ts";

interface TextPart {
  readonly type: "output_text" | "refusal";
  text: string;
  readonly annotations: Json[];
  readonly logprobs: FoldedFields;
}

/** What the model says. */
export class MessageItem extends OutputItem {
  readonly #parts: TextPart[] = [];
  #head = "";

  text(text: string): void {
    const part = this.#open("output_text");
    part.text += text;
    this.tellDelta("response.output_text.delta", text, this.#head);
  }

  refuse(text: string): void {
    const part = this.#open("refusal");
    part.text += text;
    this.tellDelta("response.refusal.delta", text, this.#head);
  }

  annotate(annotation: Json): void {
    const { annotations } = this.#open("output_text");
    this.tell("response.output_text.annotation.added", {
      content_index: this.#parts.length - 1,
      annotation_index: annotations.length,
      annotation,
    });
    annotations.push(annotation);
  }

  /** Adds what chat completions say of the probabilities of the text's tokens. */
  addLogprobs(logprobs: JsonObject): void {
    const part = this.#parts.at(-1);
    if (part) foldExtra(part.logprobs, { logprobs });
  }

  body(status: ItemStatus | "in_progress"): JsonObject {
    return { id: this.id, type: "message", status, role: "assistant", content: this.#parts.map(partBody) };
  }

  protected end(): void {
    this.#close();
  }

  #open(type: TextPart["type"]): TextPart {
    const last = this.#parts.at(-1);
    if (last?.type === type) return last;
    this.#close();
    const part: TextPart = { type, text: "", annotations: [], logprobs: {} };
    const place = { content_index: this.#parts.length };
    this.#head = this.head(type === "refusal" ? place : { ...place, logprobs: [] });
    this.tell("response.content_part.added", { content_index: this.#parts.length, part: partBody(part) });
    this.#parts.push(part);
    return part;
  }

  #close(): void {
    const part = this.#parts.at(-1);
    if (!part) return;
    const [content_index, body] = [this.#parts.length - 1, partBody(part)];
    if (part.type === "refusal") this.tell("response.refusal.done", { content_index, refusal: part.text });
    else {
      const { text, logprobs } = body;
      this.tell("response.output_text.done", { content_index, text, logprobs });
    }
    this.tell("response.content_part.done", { content_index, part: body });
  }
}

function partBody({ type, text, annotations, logprobs }: TextPart): JsonObject {
  if (type === "refusal") return { type, refusal: text };
  const { content } = (logprobs["logprobs"] ?? {}) as JsonObject;
  return { type, text, annotations, logprobs: Array.isArray(content) ? content : [] };
}
