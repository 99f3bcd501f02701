import { Body, cancellingIterator } from "../http/body.ts";
import { truncatedError, isNetworkError } from "../http/errors.ts";
import { SseParser } from "./parser.ts";
import type { SseEvent, SseParserOptions } from "./parser.ts";

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
