import type { JsonObject } from "../../../../contract/index.ts";
import { textInOneLine } from "../../../one-line.ts";
import type { EventSink } from "./sink.ts";

/** How an item ended. */
export type ItemStatus = "completed" | "incomplete";

/** What names an item. */
export interface ItemIdentity {
  readonly id: string;
  /** Its place in the output. */
  readonly index: number;
}

/** One item of an answer in the making: it tells each step of its life to a sink. */
export abstract class OutputItem {
  readonly id: string;
  readonly index: number;
  protected readonly sink: EventSink;
  #isDone = false;

  constructor({ id, index }: ItemIdentity, sink: EventSink) {
    this.id = id;
    this.index = index;
    this.sink = sink;
  }

  /** Returns the item as it is now. */
  abstract body(status: ItemStatus | "in_progress"): JsonObject;

  /** Returns the item as a later request needs it, whatever of it the client was shown. */
  kept(status: ItemStatus): JsonObject {
    return this.body(status);
  }

  /** Tells the ends of what is open in it. */
  protected abstract end(): void;

  /** Whether its end was told. */
  get isDone(): boolean {
    return this.#isDone;
  }

  /** Tells that it begins. */
  add(): void {
    this.sink.event("response.output_item.added", {
      output_index: this.index,
      item: this.body("in_progress"),
    });
  }

  /** Tells its end, if that wasn't told before. */
  done(status: ItemStatus): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.end();
    this.sink.event("response.output_item.done", { output_index: this.index, item: this.body(status) });
  }

  protected tell(type: string, fields: JsonObject): void {
    this.sink.event(type, { item_id: this.id, output_index: this.index, ...fields });
  }

  /** Tells a piece of text, the most frequent of all events; `head` is all else of it. */
  protected tellDelta(type: string, text: string, head: string): void {
    this.sink.written(type, `${head},"delta":${textInOneLine(text)}`);
  }

  /** Returns what an event of this item begins with, as JSON without its braces. */
  protected head(place: JsonObject = {}): string {
    return JSON.stringify({ item_id: this.id, output_index: this.index, ...place }).slice(1, -1);
  }
}
