import type { ChatEvent } from "../contract/index.ts";
import { flattenString } from "../runtime/flatten-string.ts";
import { memorySize } from "./memory-size.ts";

/** A reading position: whole events, and characters of the one after them. */
export interface BufferPosition {
  readonly event: number;
  readonly offset: number;
}

export const BEGINNING: BufferPosition = { event: 0, offset: 0 };

/** Length in characters from which on a text isn't appended to. */
const LONG_TEXT = 1_024;
/** Rough limit of the bytes of one read. */
const MOST_AT_ONCE = 16 * 1024;

type Piecewise = Extract<ChatEvent, { type: "text" | "reasoning" | "tool-call" }>;

/**
 * Buffers the events of an answer in little memory: adjacent pieces of one text are merged. A reader gets each character
 * once, wherever it stood when the buffer grew.
 */
export class EventBuffer {
  readonly #events: ChatEvent[] = [];
  /** The size of each event, in bytes. */
  readonly #sizes: number[] = [];
  /** The number of events that were dropped. */
  #dropped = 0;
  #size = 0;

  /** The size of the buffered events, in bytes of memory. */
  get size(): number {
    return this.#size;
  }

  /** The position after the last event. */
  get end(): BufferPosition {
    const last = this.#events.at(-1);
    const length = last ? pieceOf(last).length : 0;
    if (mayGoOn(length)) return { event: this.#dropped + this.#events.length - 1, offset: length };
    return { event: this.#dropped + this.#events.length, offset: 0 };
  }

  push(batch: readonly ChatEvent[]): void {
    for (const event of batch) {
      if (!this.#extend(event)) this.#append(event);
    }
  }

  /** Returns some of the events after `from`, and the position after them; none if `from` is the end. */
  read(from: BufferPosition): { readonly batch: readonly ChatEvent[]; readonly to: BufferPosition } {
    const batch: ChatEvent[] = [];
    let at = from.event - this.#dropped;
    let { offset } = from;
    let bytes = 0;
    for (; bytes < MOST_AT_ONCE; at++, offset = 0) {
      const event = this.#events[at];
      if (!event) break;
      if (offset === 0 || offset < pieceOf(event).length) batch.push(behind(event, offset));
      bytes += this.#sizes[at] ?? 0;
    }
    return { batch, to: at < this.#events.length ? { event: at + this.#dropped, offset: 0 } : this.end };
  }

  /** Drops the events before a position. */
  drop({ event }: BufferPosition): void {
    const count = event - this.#dropped;
    if (count <= 0) return;
    this.#events.splice(0, count);
    for (const size of this.#sizes.splice(0, count)) this.#size -= size;
    this.#dropped = event;
  }

  /** Flattens the last text, so that it can be kept for long; more events may follow. */
  settle(): void {
    const last = this.#events.at(-1);
    if (last) flattenString(pieceOf(last));
  }

  #append(event: ChatEvent): void {
    this.settle();
    const size = memorySize(event);
    this.#events.push(event);
    this.#sizes.push(size);
    this.#size += size;
  }

  /** Appends a piece to the last event if it continues that one's text. */
  #extend(event: ChatEvent): boolean {
    const at = this.#events.length - 1;
    const last = this.#events[at];
    if (!last || !goesOn(last, event)) return false;
    const piece = pieceOf(event);
    const longer = pieceOf(last) + piece;
    if (!mayGoOn(longer.length)) flattenString(longer);
    this.#events[at] = withPiece(last, longer);
    const size = Buffer.byteLength(piece);
    this.#sizes[at] = (this.#sizes[at] ?? 0) + size;
    this.#size += size;
    return true;
  }
}

/** Returns whether a text of this length may be appended to; an empty one has no position that tells whether it was read. */
function mayGoOn(length: number): boolean {
  return length > 0 && length < LONG_TEXT;
}

/** The part of an event that later events may continue. */
function pieceOf(event: ChatEvent): string {
  if (event.type === "text" || event.type === "reasoning") return event.text;
  return event.type === "tool-call" ? (event.arguments ?? "") : "";
}

function withPiece(event: Piecewise, piece: string): Piecewise {
  return event.type === "tool-call" ? { ...event, arguments: piece } : { ...event, text: piece };
}

/** Returns whether `event` only continues the text of `last`. */
function goesOn(last: ChatEvent, event: ChatEvent): last is Piecewise {
  if (last.type !== event.type || !mayGoOn(pieceOf(last).length)) return false;
  if (last.type === "text" && event.type === "text") return last.choice === event.choice;
  if (last.type === "reasoning" && event.type === "reasoning") {
    return last.choice === event.choice && last.block === event.block && isPlain(last) && isPlain(event);
  }
  if (last.type !== "tool-call" || event.type !== "tool-call") return false;
  const { id, name, fields } = event;
  if (id !== undefined || name !== undefined || fields !== undefined) return false;
  return last.choice === event.choice && last.index === event.index;
}

function isPlain({ signature, redacted }: Extract<ChatEvent, { type: "reasoning" }>): boolean {
  return signature === undefined && redacted === undefined;
}

/** Returns the event without the first characters of its text, and without the members that were read with them. */
function behind(event: ChatEvent, offset: number): ChatEvent {
  if (offset === 0) return event;
  const piece = pieceOf(event).slice(offset);
  if (event.type === "text") return { ...event, text: piece };
  if (event.type === "reasoning") return { ...event, text: piece };
  if (event.type !== "tool-call") return event;
  const { id: _, name: __, fields: ___, ...rest } = event;
  return { ...rest, arguments: piece };
}
