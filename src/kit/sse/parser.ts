import type { SseEvent, SseSink } from "./lines.ts";
import { SseLines } from "./lines.ts";

export type { SseEvent } from "./lines.ts";

export interface SseParserOptions {
  /** The largest event, in bytes of its data and of its unfinished line; 16 MiB unless told. */
  readonly maxEventBytes?: number;
}

/**
 * Parses an event stream by https://html.spec.whatwg.org/multipage/server-sent-events.html section 9.2.6,
 * however it is cut into pieces. Takes time in proportion to the bytes, also for an event that comes in many
 * small pieces. Throws `UpstreamError` `bad-response` for an event that is too large.
 */
export class SseParser {
  readonly #lines: SseLines;
  readonly #events = new EventCollector();

  constructor(options: SseParserOptions = {}) {
    this.#lines = new SseLines(this.#events, options.maxEventBytes);
  }

  /** The lines so far that belong to no event, as many as fit 64 KiB; the standard has them ignored. */
  get strays(): string {
    return this.#lines.strays;
  }

  /** Takes the next piece of the stream and gives the events that it completes. The piece is not kept. */
  push(piece: Uint8Array): SseEvent[] {
    this.#lines.push(piece);
    return this.#events.takeAll();
  }

  /**
   * Says that the stream has ended, and gives the event that lacks its blank line, or even its line end. The
   * standard has such an event dropped: it may be cut. Call it only where the data itself shows that it is whole.
   */
  finish(): SseEvent[] {
    this.#lines.finish();
    return this.#events.takeAll();
  }
}

/** Takes all events as they are. */
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
