import type { SseEvent, SseSink } from "./lines.ts";
import { SseLines } from "./lines.ts";

export type { SseEvent } from "./lines.ts";

export interface SseParserOptions {
  /** Limit of an event, in bytes of its data and of its unfinished line; 16 MiB unless set. */
  readonly maxEventBytes?: number;
}

/**
 * Parses an event stream by https://html.spec.whatwg.org/multipage/server-sent-events.html section 9.2.6, in chunks of
 * any size and in time proportional to the bytes. Throws `UpstreamError` `bad-response` for an event that is too large.
 */
export class SseParser {
  readonly #lines: SseLines;
  readonly #events = new EventCollector();

  constructor(options: SseParserOptions = {}) {
    this.#lines = new SseLines(this.#events, options.maxEventBytes);
  }

  /** The lines so far that belong to no event, up to 64 KiB; the standard ignores them. */
  get strays(): string {
    return this.#lines.strays;
  }

  /** Reads the next chunk and returns the events that it completes. The chunk is not retained. */
  push(piece: Uint8Array): SseEvent[] {
    this.#lines.push(piece);
    return this.#events.takeAll();
  }

  /**
   * Ends the stream and returns the event that lacks its blank line, or its line end. The standard drops such an event,
   * because it may be truncated: use it only where the data itself shows that it is complete.
   */
  finish(): SseEvent[] {
    this.#lines.finish();
    return this.#events.takeAll();
  }
}

/** Collects events. */
class EventCollector implements SseSink {
  #events: SseEvent[] = [];

  takeAll(): SseEvent[] {
    const events = this.#events;
    this.#events = [];
    return events;
  }

  readFast(_text: string, from: number): number {
    return from;
  }

  onEvent(event: SseEvent): void {
    this.#events.push(event);
  }
}
