import type { JsonObject } from "../../../../contract/index.ts";
import type { ItemIdentity } from "./item.ts";
import { OutputItem } from "./item.ts";
import type { EventSink } from "./sink.ts";

/** In which form reasoning is told. */
export interface ReasoningForm {
  /** As what the model thought, or as the summary that the client asked for. */
  readonly kind: "text" | "summary";
  /** Whether the client is given what must come back in a later turn. */
  readonly hasEncrypted: boolean;
}

/** The events of reasoning, and what they have in common. */
interface ReasoningEvents {
  readonly index: JsonObject;
  readonly part: string;
  readonly added: string;
  readonly delta: string;
  readonly textDone: string;
  readonly partDone: string;
}

const SUMMARY: ReasoningEvents = {
  index: { summary_index: 0 },
  part: "summary_text",
  added: "response.reasoning_summary_part.added",
  delta: "response.reasoning_summary_text.delta",
  textDone: "response.reasoning_summary_text.done",
  partDone: "response.reasoning_summary_part.done",
};

const CONTENT: ReasoningEvents = {
  index: { content_index: 0 },
  part: "reasoning_text",
  added: "response.content_part.added",
  delta: "response.reasoning_text.delta",
  textDone: "response.reasoning_text.done",
  partDone: "response.content_part.done",
};

/** What the model thinks. */
export class ReasoningItem extends OutputItem {
  /** What must come back in a later turn; set before its end. */
  encrypted: string | undefined;
  readonly #form: ReasoningEvents;
  readonly #hasEncrypted: boolean;
  #head = "";
  #text: string | undefined;

  constructor(identity: ItemIdentity, { kind, hasEncrypted }: ReasoningForm, sink: EventSink) {
    super(identity, sink);
    this.#form = kind === "summary" ? SUMMARY : CONTENT;
    this.#hasEncrypted = hasEncrypted;
  }

  text(text: string): void {
    const { index, part, added, delta } = this.#form;
    if (this.#text === undefined) {
      this.#head = this.head(index);
      this.tell(added, { ...index, part: { type: part, text: "" } });
    }
    this.#text = (this.#text ?? "") + text;
    this.tellDelta(delta, text, this.#head);
  }

  body(): JsonObject {
    const { part } = this.#form;
    const told = this.#text === undefined ? [] : [{ type: part, text: this.#text }];
    return {
      id: this.id,
      type: "reasoning",
      summary: this.#form === SUMMARY ? told : [],
      ...(this.#form === CONTENT && told.length > 0 && { content: told }),
      ...(this.#hasEncrypted && { encrypted_content: this.encrypted ?? null }),
    };
  }

  override kept(): JsonObject {
    return { ...this.body(), ...(this.encrypted !== undefined && { encrypted_content: this.encrypted }) };
  }

  protected end(): void {
    if (this.#text === undefined) return;
    const { index, part, textDone, partDone } = this.#form;
    this.tell(textDone, { ...index, text: this.#text });
    this.tell(partDone, { ...index, part: { type: part, text: this.#text } });
  }
}
