import type { ChatEvent } from "../../contract/index.ts";
import { UpstreamError } from "../../contract/index.ts";
import { errorFromBody } from "../http/errors.ts";
import { parseAsWritten, parseJson } from "../json/parse.ts";
import { asObject } from "../json/values.ts";
import type { SseEvent, SseSink } from "../sse/lines.ts";
import { SseLines } from "../sse/lines.ts";
import { hasError } from "./chunk-reader.ts";
import type { ChunkEvents, ChunkReader } from "./chunk-reader.ts";
import { notACompletion } from "./errors.ts";
import { TextChunkFastPath } from "./text-chunk-fast-path.ts";

/** Reads the chunks of an event stream, until `[DONE]` or a chunk that fails. */
export class ChunkStream implements SseSink {
  readonly #chunks: ChunkReader;
  readonly #lines = new SseLines(this);
  readonly #fastPath = new TextChunkFastPath();
  #events: ChatEvent[] = [];
  #isDone = false;
  #failure: UpstreamError | undefined;
  #hasRead = false;
  /** True once the body has ended: its last event may be truncated. */
  #isAtEnd = false;
  /** The data of the first event, until a choice has begun. */
  #first = "";

  constructor(chunks: ChunkReader) {
    this.#chunks = chunks;
  }

  /** True once `[DONE]` has arrived. */
  get isDone(): boolean {
    return this.#isDone;
  }

  /** The error that ended the stream, if any. */
  get failure(): UpstreamError | undefined {
    return this.#failure;
  }

  /** Returns why an ended stream is no answer; undefined if it only ended too early. */
  errorAtEnd(isBroken: boolean): UpstreamError | undefined {
    const { strays } = this.#lines;
    const said = asObject(parseJson(strays));
    if (said && hasError(said)) return errorFromBody(said);
    if (isBroken) return undefined;
    if (!this.#hasRead) return new UpstreamError("bad-response", "the upstream sent an empty answer");
    const strange = strays || this.#first;
    return strange === "" ? undefined : notACompletion(strange);
  }

  /** Returns all events of one chunk of the body, so that what arrives together is passed on together. */
  read(piece: Uint8Array): readonly ChatEvent[] {
    this.#hasRead = true;
    this.#lines.push(piece);
    return this.#takeEvents();
  }

  /** Ends the stream and returns the events of its last, unterminated event, unless that is truncated. */
  finish(): readonly ChatEvent[] {
    this.#isAtEnd = true;
    this.#lines.finish();
    return this.#takeEvents();
  }

  readFast(text: string, from: number): number {
    if (this.#hasEnded) return text.length;
    const end = this.#fastPath.matchEnd(text, from);
    const event = end > from ? this.#fastPath.read(text, from, end) : undefined;
    if (!event) return from;
    this.#events.push(event);
    return end;
  }

  onEvent({ event, data }: SseEvent): void {
    const text = data.trim();
    if (this.#hasEnded || text === "" || (this.#isAtEnd && !isWhole(text))) return;
    if (text === "[DONE]") {
      this.#isDone = true;
      return;
    }
    const { events, failure } = this.#chunk(event, data);
    if (this.#chunks.hasBegun) this.#first = "";
    else this.#first ||= data;
    for (const each of events) this.#events.push(each);
    if (failure) this.#failure = failure;
    else this.#fastPath.learn(data, events);
  }

  get #hasEnded(): boolean {
    return this.#isDone || this.#failure !== undefined;
  }

  #chunk(event: string, data: string): ChunkEvents {
    const json = parseAsWritten(data);
    if (event === "error") return { events: [], failure: errorFromBody(json ?? data) };
    const chunk = asObject(json);
    return chunk ? this.#chunks.read(chunk) : { events: [], failure: notACompletion(data) };
  }

  #takeEvents(): readonly ChatEvent[] {
    const said = this.#events;
    this.#events = [];
    return said;
  }
}

function isWhole(data: string): boolean {
  return data === "[DONE]" || parseJson(data) !== undefined;
}
