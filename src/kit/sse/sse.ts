import { Body, cancellingIterator } from "../http/body.ts";
import { truncatedError, isNetworkError } from "../http/errors.ts";
import { SseLines } from "./lines.ts";
import type { SseEvent, SseSink } from "./lines.ts";

export interface SseOptions extends SseParserOptions {
  /**
   * Whether to give the last event if the body ends without the blank line after it. The standard drops such an event,
   * because it may be truncated; many servers of AI models end that way.
   */
  readonly unfinishedEvent?: boolean;
}

/**
 * Iterates over the events of a `text/event-stream` body; `null` has none. Leaving the loop cancels the body. Rejects
 * with `UpstreamError` `truncated` if the connection breaks and `bad-response` for an event that is too large, and with
 * the reason of the request's signal.
 */
export function sse(
  stream: ReadableStream<Uint8Array> | null,
  options: SseOptions = {},
): AsyncIterableIterator<SseEvent, void> {
  const body = new Body(stream);
  return cancellingIterator(body, events(body, options));
}

async function* events(body: Body, options: SseOptions): AsyncGenerator<SseEvent, void> {
  const parser = new SseParser(options);
  try {
    for (let piece = await body.read(); piece; piece = await body.read()) yield* parser.push(piece);
    if (options.unfinishedEvent && !body.isCancelled) yield* parser.finish();
  } catch (error) {
    throw isNetworkError(error) ? truncatedError(error) : error;
  } finally {
    await body.cancel();
  }
}

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
