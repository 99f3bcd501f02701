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

/** Reads the chunks of an answer that is an event stream, until `[DONE]`, or until one that can't be gone on from. */
export class ChunkStream implements SseSink {
  readonly #chunks: ChunkReader;
  readonly #lines = new SseLines(this);
  readonly #fastPath = new TextChunkFastPath();
  #said: ChatEvent[] = [];
  #isDone = false;
  #failure: UpstreamError | undefined;
  #hasRead = false;
  /** Whether the body has ended. */
  #isCut = false;
  /** The first event, as long as no choice has begun. */
  #first = "";

  constructor(chunks: ChunkReader) {
    this.#chunks = chunks;
  }

  /** `[DONE]` has come. */
  get isDone(): boolean {
    return this.#isDone;
  }

  /** What it failed with, if it did. */
  get failure(): UpstreamError | undefined {
    return this.#failure;
  }

  /** What the stream was that has ended without being an answer; undefined where it only ended too early. */
  errorAtEnd(isBroken: boolean): UpstreamError | undefined {
    const { strays } = this.#lines;
    const said = asObject(parseJson(strays));
    if (said && hasError(said)) return errorFromBody(said);
    if (isBroken) return undefined;
    if (!this.#hasRead) return new UpstreamError("bad-response", "the upstream sent an empty answer");
    const strange = strays || this.#first;
    return strange === "" ? undefined : notACompletion(strange);
  }

  /** All that one piece of the body says, so that what arrives together can go on together. */
  read(piece: Uint8Array): readonly ChatEvent[] {
    this.#hasRead = true;
    this.#lines.push(piece);
    return this.#saidSoFar();
  }

  /** What the body ended in, where that is more than what a cut has left of an event. */
  finish(): readonly ChatEvent[] {
    this.#isCut = true;
    this.#lines.finish();
    return this.#saidSoFar();
  }

  /** Of the lines. */
  readFast(text: string, from: number): number {
    if (this.#hasEnded) return text.length;
    const end = this.#fastPath.matchEnd(text, from);
    const event = end > from ? this.#fastPath.read(text, from, end) : undefined;
    if (!event) return from;
    this.#said.push(event);
    return end;
  }

  /** Of the lines. */
  onEvent({ event, data }: SseEvent): void {
    const text = data.trim();
    if (this.#hasEnded || text === "" || (this.#isCut && !isWhole(text))) return;
    if (text === "[DONE]") {
      this.#isDone = true;
      return;
    }
    const { events, failure } = this.#chunk(event, data);
    if (this.#chunks.hasBegun) this.#first = "";
    else this.#first ||= data;
    for (const each of events) this.#said.push(each);
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

  #saidSoFar(): readonly ChatEvent[] {
    const said = this.#said;
    this.#said = [];
    return said;
  }
}

function isWhole(data: string): boolean {
  return data === "[DONE]" || parseJson(data) !== undefined;
}
