import type { Call, ChatEvent, ChatStream, Json } from "../../contract/index.ts";
import { UpstreamError } from "../../contract/index.ts";
import { Body, cancellingIterator } from "../http/body.ts";
import { truncatedError, isNetworkError } from "../http/errors.ts";
import { parseAsWritten } from "../json/parse.ts";
import { singleLine } from "../json/values.ts";
import { JsonDocument, startsAsJson, trimStart } from "../http/json-document.ts";
import { SseParser } from "./parser.ts";
import type { SseEvent } from "./parser.ts";

/** A part of an answer: an event of a stream, a whole JSON document, or text in a stream that belongs to no event. */
export interface AnswerPiece {
  readonly kind: "event" | "document" | "stray";
  /** The event's type; empty for the other kinds. */
  readonly event: string;
  readonly data: string;
  /** The value of `data` as `parseAsWritten` gives it; undefined where it is no JSON. */
  readonly json: Json | undefined;
}

/**
 * Iterates over the events that `read` makes of a 2xx response, be it an event stream or one JSON document: the body
 * decides, whatever its content type. Text in a stream that belongs to no event, such as the bare JSON of an error, is
 * the last piece.
 *
 * Rejects with the reason of the call's signal, or with `UpstreamError`: `truncated` if the body is incomplete, after
 * all its pieces; `bad-response` if it is empty, no JSON or too large. Leaving the stream cancels the body at once.
 */
export function answerStream(
  response: Response,
  call: Pick<Call, "signal">,
  read: (pieces: AsyncIterable<AnswerPiece>) => AsyncGenerator<ChatEvent, void>,
): ChatStream {
  const body = new Body(response);
  return cancellingIterator(body, read(readPieces(body, call.signal)));
}

async function* readPieces(body: Body, signal: AbortSignal): AsyncGenerator<AnswerPiece, void> {
  const reader = new PieceReader();
  let broken: UpstreamError | undefined;
  try {
    try {
      for (let bytes = await body.read(); bytes; bytes = await body.read()) yield* reader.push(bytes);
    } catch (error) {
      signal.throwIfAborted();
      if (!isNetworkError(error)) throw error;
      broken = truncatedError(error);
    }
    if (body.isCancelled) return;
    yield* reader.finish(broken);
  } finally {
    await body.cancel();
  }
}

/** Detects by its first byte what a body is, and splits it into pieces. */
class PieceReader {
  #parser: SseParser | undefined;
  #document: JsonDocument | undefined;

  *push(bytes: Uint8Array): Generator<AnswerPiece, void> {
    if (this.#parser) return yield* this.#parser.push(bytes).map(eventPiece);
    if (this.#document) return this.#document.append(bytes);
    const first = trimStart(bytes);
    if (first.length === 0) return;
    if (startsAsJson(first)) {
      this.#document = new JsonDocument(first);
      return;
    }
    this.#parser = new SseParser();
    yield* this.#parser.push(first).map(eventPiece);
  }

  /** Gives the remaining pieces after the body has ended, or failed with `broken`. */
  *finish(broken: UpstreamError | undefined): Generator<AnswerPiece, void> {
    if (this.#document) return yield documentPiece(this.#document, broken);
    if (!this.#parser) throw broken ?? new UpstreamError("bad-response", "the upstream sent an empty answer");
    // An event without its blank line counts where its JSON shows that it is complete.
    yield* this.#parser
      .finish()
      .map(eventPiece)
      .filter(({ json, data }) => json !== undefined || data === "[DONE]");
    const { strays } = this.#parser;
    if (strays !== "") yield { kind: "stray", event: "", data: strays, json: parseAsWritten(strays) };
    if (broken) throw broken;
  }
}

function eventPiece({ event, data }: SseEvent): AnswerPiece {
  return { kind: "event", event, data, json: parseAsWritten(data) };
}

/** A document that parses is complete, even if its connection broke. */
function documentPiece(document: JsonDocument, broken: UpstreamError | undefined): AnswerPiece {
  const data = new TextDecoder().decode(document.bytes).trim();
  const json = parseAsWritten(data);
  if (json !== undefined) return { kind: "document", event: "", data, json };
  if (broken) throw broken;
  if (!/[}\]]$/.test(data))
    throw new UpstreamError("truncated", "the upstream's answer broke off before its end");
  const detail = singleLine(data);
  throw new UpstreamError("bad-response", "the upstream sent something that is no JSON", { detail });
}
