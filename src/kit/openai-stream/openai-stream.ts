import { UpstreamError } from "../../contract/index.ts";
import type { Batches, Call, ChatEvent, ChatStream, NextBatch } from "../../contract/index.ts";
import { Stage } from "../../runtime/stage.ts";
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
  /** The number of choices that were requested (`n`); 1 unless set. */
  readonly choices?: number;
  /** The call of the answer: an aborted read rejects with the reason of its signal, and oddities are logged to it. */
  readonly call?: Pick<Call, "signal"> & Partial<Pick<Call, "log">>;
  /** Called when the form in which the server writes reasoning is detected, so that a history can use the same form. */
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
 * Reads an answer in the batches in which it arrives. An iterator, because a generator costs several promises a batch;
 * iterator and stream in one object, because there is one for each open stream.
 */
class OpenAiStream extends Stage<Uint8Array | undefined, NextBatch> implements ChatStream, Batches {
  readonly #body: Body;
  readonly #expected: number;
  readonly #call: OpenAiStreamOptions["call"];
  readonly #chunks: ChunkReader;
  /** Set once the body is known to be an event stream. */
  #stream: ChunkStream | undefined;
  /** Set once the body is known to be one JSON document. */
  #document: JsonDocument | undefined;
  #end: Ending | undefined;
  #brokenBy = "";

  constructor(body: Body, options: OpenAiStreamOptions) {
    super();
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

  protected override read(): Uint8Array | undefined | PromiseLike<Uint8Array | undefined> {
    return this.#hasEnded ? undefined : this.#body.next();
  }

  protected override map(piece: Uint8Array | undefined): NextBatch | undefined {
    try {
      const events = this.#hasEnded ? NONE : this.#take(piece);
      if (events.length > 0) return { done: false, value: events };
      if (!this.#hasEnded) return undefined;
      if (this.#end && !this.#body.isCancelled) this.#close(this.#end);
      return END;
    } catch (error) {
      void this.#body.cancel();
      throw error;
    }
  }

  /** A broken connection counts as the end of the body, because the answer may be complete. */
  protected override fail(error: unknown): NextBatch | undefined {
    try {
      this.#call?.signal.throwIfAborted();
      if (UpstreamError.is(error)) throw error;
    } catch (failure) {
      void this.#body.cancel();
      throw failure;
    }
    this.#brokenBy = networkErrorCode(error);
    return this.map(undefined);
  }

  get #hasEnded(): boolean {
    return this.#end !== undefined || this.#body.isCancelled;
  }

  /** Returns the events of the next chunk; undefined stands for the end of the body. */
  #take(piece: Uint8Array | undefined): readonly ChatEvent[] {
    if (this.#stream) return this.#readChunk(this.#stream, piece);
    return this.#document ? this.#addToDocument(this.#document, piece) : this.#detectFormat(piece);
  }

  #detectFormat(piece: Uint8Array | undefined): readonly ChatEvent[] {
    const first = piece && trimStart(piece);
    if (first?.length === 0) return NONE;
    if (first && startsAsJson(first)) {
      this.#document = new JsonDocument(first);
      return NONE;
    }
    this.#stream = new ChunkStream(this.#chunks);
    return this.#readChunk(this.#stream, first);
  }

  #readChunk(stream: ChunkStream, piece: Uint8Array | undefined): readonly ChatEvent[] {
    const events = piece ? stream.read(piece) : stream.finish();
    if (stream.isDone) this.#end = { choices: 1, failure: undefined, isMarked: true };
    else if (stream.failure) this.#end = { choices: this.#expected, failure: stream.failure };
    else if (!piece) this.#end = { choices: this.#expected, failure: this.#streamError(stream) };
    return events;
  }

  /** Returns why a stream that has ended is no answer, if it says so. */
  #streamError(stream: ChunkStream): UpstreamError | undefined {
    return this.#chunks.isFinished(1) ? undefined : stream.errorAtEnd(this.#brokenBy !== "");
  }

  #addToDocument(document: JsonDocument, piece: Uint8Array | undefined): readonly ChatEvent[] {
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

  /** Throws also when the connection broke after the finish reasons: the gateway decides whether the answer is complete. */
  #close({ choices, failure, isMarked }: Ending): void {
    if (failure) throw failure;
    if (this.#brokenBy !== "" || !this.#chunks.isFinished(choices)) throw this.#truncated();
    if (!isMarked && this.#chunks.hasOutputAfterFinish) throw this.#truncated();
    this.#body.drain();
  }

  #truncated(): UpstreamError {
    const why = this.#brokenBy === "" ? "" : ` (${this.#brokenBy})`;
    return new UpstreamError("truncated", `the upstream's answer broke off before its end${why}`);
  }
}

/** How an answer ended, and how many choices must have finished for it to be complete. */
interface Ending {
  readonly choices: number;
  readonly failure: UpstreamError | undefined;
  /** True if the upstream's end marker has arrived. */
  readonly isMarked?: boolean;
}

const NONE: readonly ChatEvent[] = [];
const END: NextBatch = { done: true, value: undefined };
const decoder = new TextDecoder();
