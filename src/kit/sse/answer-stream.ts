import type { Batches, Call, ChatEvent, ChatStream, Json, NextBatch } from "../../contract/index.ts";
import { UpstreamError } from "../../contract/index.ts";
import { Stage } from "../../runtime/stage.ts";
import { Body, eventsOf } from "../http/body.ts";
import { truncatedError, isNetworkError } from "../http/errors.ts";
import { parseAsWritten } from "../json/parse.ts";
import { singleLine } from "../json/values.ts";
import { JsonDocument, startsAsJson, trimStart } from "../http/json-document.ts";
import { SseParser } from "./sse.ts";
import type { SseEvent } from "./sse.ts";

/** A part of an answer: an event of a stream, a whole JSON document, or text in a stream that belongs to no event. */
export interface AnswerPiece {
  readonly kind: "event" | "document" | "stray";
  /** The event's type; empty for the other kinds. */
  readonly event: string;
  readonly data: string;
  /** The value of `data` as `parseAsWritten` gives it, parsed when it is asked for; undefined where it is no JSON. */
  readonly json: Json | undefined;
}

/** Makes events of an answer's pieces. */
export interface AnswerReader {
  /** True once the answer is complete: the rest of the body is discarded. */
  readonly isFinished: boolean;
  /** Returns the events of the next piece. What it throws ends the answer, after the events that came before. */
  read(piece: AnswerPiece): Iterable<ChatEvent>;
  /** Returns the last events of a stream that has ended, or throws; not called after a document. */
  end(): Iterable<ChatEvent>;
}

/**
 * Returns the events that a reader makes of a 2xx response, be it an event stream or one JSON document: the body
 * decides, whatever its content type. Text in a stream that belongs to no event, such as the bare JSON of an error, is
 * the last piece.
 *
 * Rejects with the reason of the call's signal, or with `UpstreamError`: `truncated` if the body is incomplete, after
 * all its pieces; `bad-response` if it is empty, no JSON or too large. Leaving the stream cancels the body at once.
 */
export function answerStream(
  response: Response,
  call: Pick<Call, "signal">,
  reader: AnswerReader,
): ChatStream {
  return new AnswerStream(new Body(response), call, reader);
}

/** Reads an answer in the batches in which it arrives; iterator and stream in one object. */
class AnswerStream extends Stage<Uint8Array | undefined, NextBatch> implements ChatStream, Batches {
  readonly #body: Body;
  readonly #call: Pick<Call, "signal">;
  readonly #reader: AnswerReader;
  readonly #pieces = new PieceReader();
  #hasEnded = false;
  #failure: { readonly error: unknown } | undefined;

  constructor(body: Body, call: Pick<Call, "signal">, reader: AnswerReader) {
    super();
    this.#body = body;
    this.#call = call;
    this.#reader = reader;
  }

  batches(): Batches {
    return this;
  }

  [Symbol.asyncIterator](): AsyncIterator<ChatEvent, void> {
    return eventsOf(this, this.#body);
  }

  return(): Promise<unknown> {
    return this.#body.cancel();
  }

  protected override read(): Uint8Array | undefined | PromiseLike<Uint8Array | undefined> {
    return this.#isOver ? undefined : this.#body.next();
  }

  protected override map(bytes: Uint8Array | undefined): NextBatch | undefined {
    return this.#next(() => (bytes ? this.#pieces.push(bytes) : this.#pieces.finish(undefined)), !bytes);
  }

  protected override fail(error: unknown): NextBatch | undefined {
    return this.#next(() => {
      this.#call.signal.throwIfAborted();
      if (!isNetworkError(error)) throw error;
      return this.#pieces.finish(truncatedError(error));
    }, true);
  }

  get #isOver(): boolean {
    return this.#hasEnded || this.#failure !== undefined || this.#body.isCancelled;
  }

  #next(pieces: () => Iterable<AnswerPiece>, isLast: boolean): NextBatch | undefined {
    const events: ChatEvent[] = [];
    if (!this.#isOver) this.#take(pieces, isLast, events);
    if (events.length > 0) return { done: false, value: events };
    if (this.#failure) throw this.#failure.error;
    return this.#isOver ? END : undefined;
  }

  #take(pieces: () => Iterable<AnswerPiece>, isLast: boolean, events: ChatEvent[]): void {
    try {
      for (const piece of pieces()) {
        for (const event of this.#reader.read(piece)) events.push(event);
        if (this.#reader.isFinished || piece.kind === "document") return this.#end();
      }
      if (!isLast) return;
      for (const event of this.#reader.end()) events.push(event);
      this.#end();
    } catch (error) {
      this.#failure = { error };
      void this.#body.cancel();
    }
  }

  #end(): void {
    this.#hasEnded = true;
    this.#body.drain();
  }
}

/** Detects by its first byte what a body is, and splits it into pieces. */
class PieceReader {
  #parser: SseParser | undefined;
  #document: JsonDocument | undefined;

  push(bytes: Uint8Array): readonly AnswerPiece[] {
    if (this.#parser) return this.#parser.push(bytes).map(eventPiece);
    if (this.#document) {
      this.#document.append(bytes);
      return NONE;
    }
    const first = trimStart(bytes);
    if (first.length === 0) return NONE;
    if (startsAsJson(first)) {
      this.#document = new JsonDocument(first);
      return NONE;
    }
    this.#parser = new SseParser();
    return this.#parser.push(first).map(eventPiece);
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

const NONE: readonly AnswerPiece[] = [];
const END: NextBatch = { done: true, value: undefined };

class EventPiece implements AnswerPiece {
  readonly kind = "event";
  readonly event: string;
  readonly data: string;

  constructor({ event, data }: SseEvent) {
    this.event = event;
    this.data = data;
  }

  get json(): Json | undefined {
    return parseAsWritten(this.data);
  }
}

function eventPiece(event: SseEvent): AnswerPiece {
  return new EventPiece(event);
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
