import { ReusableDeferred } from "../../runtime/reusable-deferred.ts";
import { UpstreamError } from "../../contract/index.ts";
import type { Continuation } from "../../runtime/reusable-deferred.ts";
import type { Batches, Call, ChatEvent, ChatStream, NextBatch } from "../../contract/index.ts";
import { isPending, subscribeOnce } from "../../runtime/reusable-deferred.ts";
import { Body, eventsOf } from "../http/body.ts";
import { networkErrorCode } from "../http/errors.ts";
import { parseAsWritten } from "../json/parse.ts";
import { asArray, asObject } from "../json/values.ts";
import { ChunkReader } from "./chunk-reader.ts";
import { ChunkStream } from "./chunk-stream.ts";
import type { ReasoningForm } from "./delta.ts";
import { JsonDocument, startsAsJson, trimStart } from "../http/json-document.ts";
import { notACompletion } from "./errors.ts";

export interface OpenAiStreamOptions {
  /** How many answers were asked for (`n`); 1 unless told. */
  readonly choices?: number;
  /**
   * For which call this is: a read that breaks because its signal was aborted rejects with the signal's reason, and
   * what is odd about an answer is logged.
   */
  readonly call?: Pick<Call, "signal"> & Partial<Pick<Call, "log">>;
  /** Called when the form in which the server writes reasoning is seen, so that a history can be sent back in it. */
  readonly onReasoning?: (form: ReasoningForm) => void;
}

/**
 * The events of an OpenAI chat completion, or of a legacy completion, be it an event stream or one JSON document:
 * the body itself decides.
 * The answer is whole when each choice that was seen had its finish reason, and `[DONE]` or, with all choices
 * that were asked for and nothing behind their finish reasons, the end of the body came. Rejects with
 * `UpstreamError`: `truncated` if it broke off, also behind the finish reasons, where the gateway decides what that
 * takes from the answer; `bad-response` if it can't be understood; or what an error object in it says. Tool calls
 * come under the upstream's own indexes and ids, which the gateway puts in order. Leaving the loop cancels the
 * body. Only for answers with a 2xx status, as `post` gives them.
 */
export function openaiStream(response: Response, options: OpenAiStreamOptions = {}): ChatStream {
  return new OpenAiStream(new Body(response), options);
}

/**
 * Reads an answer in the batches in which it arrives. An iterator, because a generator costs several promises each,
 * and the stream itself, because there are as many as there are open streams.
 */
class OpenAiStream implements ChatStream, Batches, Continuation<Uint8Array | undefined> {
  readonly #body: Body;
  readonly #expected: number;
  readonly #call: OpenAiStreamOptions["call"];
  readonly #chunks: ChunkReader;
  readonly #later = new ReusableDeferred<NextBatch>();
  /** Set as soon as the body has shown that it is an event stream. */
  #stream: ChunkStream | undefined;
  /** Or that it is no stream. */
  #document: JsonDocument | undefined;
  #end: Ending | undefined;
  #brokenBy = "";

  constructor(body: Body, options: OpenAiStreamOptions) {
    this.#body = body;
    this.#expected = options.choices ?? 1;
    this.#call = options.call;
    this.#chunks = new ChunkReader(options.onReasoning);
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

  next(): NextBatch | ReusableDeferred<NextBatch> {
    try {
      return this.#next();
    } catch (error) {
      void this.#body.cancel();
      throw error;
    }
  }

  #next(): NextBatch | ReusableDeferred<NextBatch> {
    while (!this.#body.isCancelled && !this.#end) {
      const piece = this.#read();
      if (isPending(piece)) {
        subscribeOnce(piece, this);
        return this.#later;
      }
      const events = this.#take(piece);
      if (events.length > 0) return { done: false, value: events };
    }
    if (this.#end && !this.#body.isCancelled) {
      this.#endedWith(this.#end);
      this.#body.drain();
    }
    return END;
  }

  /** Of the body. */
  onValue(piece: Uint8Array | undefined): void {
    let next: NextBatch | ReusableDeferred<NextBatch>;
    try {
      const events = this.#body.isCancelled ? NONE : this.#take(piece);
      next = events.length > 0 ? { done: false, value: events } : this.#next();
    } catch (error) {
      return this.#fail(error);
    }
    if (!(next instanceof ReusableDeferred)) this.#later.resolve(next);
  }

  #fail(error: unknown): void {
    void this.#body.cancel();
    this.#later.reject(error);
  }

  /** What the next piece says; undefined: the body has ended. */
  #take(piece: Uint8Array | undefined): readonly ChatEvent[] {
    if (this.#stream) return this.#piece(this.#stream, piece);
    return this.#document ? this.#addTo(this.#document, piece) : this.#begin(piece);
  }

  #begin(piece: Uint8Array | undefined): readonly ChatEvent[] {
    const first = piece && trimStart(piece);
    if (first?.length === 0) return NONE;
    if (first && startsAsJson(first)) {
      this.#document = new JsonDocument(first);
      return NONE;
    }
    this.#stream = new ChunkStream(this.#chunks);
    return this.#piece(this.#stream, first);
  }

  #piece(stream: ChunkStream, piece: Uint8Array | undefined): readonly ChatEvent[] {
    const events = piece ? stream.read(piece) : stream.finish();
    if (stream.isDone) this.#end = { choices: 1, failure: undefined, isMarked: true };
    else if (stream.failure) this.#end = { choices: this.#expected, failure: stream.failure };
    else if (!piece) this.#end = { choices: this.#expected, failure: this.#faultOf(stream) };
    return events;
  }

  /** Why a stream that has ended is no answer, where it says so. */
  #faultOf(stream: ChunkStream): UpstreamError | undefined {
    return this.#chunks.isFinished(1) ? undefined : stream.errorAtEnd(this.#brokenBy !== "");
  }

  #addTo(document: JsonDocument, piece: Uint8Array | undefined): readonly ChatEvent[] {
    if (!piece) return this.#readDocument(decoder.decode(document.bytes).trim());
    document.append(piece);
    return NONE;
  }

  #readDocument(text: string): readonly ChatEvent[] {
    const json = parseAsWritten(text);
    if (json === undefined && (this.#brokenBy || !/[}\]]$/.test(text))) throw this.#truncated();
    const completion = asObject(json) ?? asObject(asArray(json)[0]);
    if (!completion) throw notACompletion(text);
    const { events, failure } = this.#chunks.readDocument(completion);
    if (this.#chunks.lacksFinish)
      this.#call?.log?.warn("an answer without a finish reason was taken as whole");
    this.#end = { choices: 1, failure };
    this.#brokenBy = "";
    return events;
  }

  /** What breaks behind the finish reasons is thrown too: the gateway knows whether it takes from the answer. */
  #endedWith({ choices, failure, isMarked }: Ending): void {
    if (failure) throw failure;
    if (this.#brokenBy !== "" || !this.#chunks.isFinished(choices)) throw this.#truncated();
    if (!isMarked && this.#chunks.hasOutputAfterFinish) throw this.#truncated();
  }

  #truncated(): UpstreamError {
    const why = this.#brokenBy === "" ? "" : ` (${this.#brokenBy})`;
    return new UpstreamError("truncated", `the upstream's answer broke off before its end${why}`);
  }

  /** The next piece; a connection that breaks is an end like any other, because the answer may be whole. */
  #read(): Uint8Array | undefined | PromiseLike<Uint8Array | undefined> {
    try {
      return this.#body.next();
    } catch (error) {
      this.#brokeBy(error);
      return undefined;
    }
  }

  /** Of the body. */
  onError(error: unknown): void {
    try {
      this.#brokeBy(error);
    } catch (failure) {
      return this.#fail(failure);
    }
    this.onValue(undefined);
  }

  #brokeBy(error: unknown): void {
    this.#call?.signal.throwIfAborted();
    if (UpstreamError.is(error)) throw error;
    this.#brokenBy = networkErrorCode(error);
  }
}

/** The end of an answer: what it was, and how many choices must have finished for it to be a good one. */
interface Ending {
  readonly choices: number;
  readonly failure: UpstreamError | undefined;
  /** True where the upstream's own mark of the end has come. */
  readonly isMarked?: boolean;
}

const NONE: readonly ChatEvent[] = [];
const END: NextBatch = { done: true, value: undefined };
const decoder = new TextDecoder();
