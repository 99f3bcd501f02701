import { UpstreamError } from "modelyard/plugin";
import type { Call, ChatEvent, JsonObject } from "modelyard/plugin";
import { failureIn, parseAsWritten, parseJson, SseParser } from "modelyard/kit";
import type { SseEvent } from "modelyard/kit";
import { ChunkReader } from "./chunk-reader.ts";
import type { ChunkSaid } from "./chunk-reader.ts";
import { elements, isObject } from "./json.ts";

export interface AnswerOptions {
  /** How many candidates were asked for. */
  readonly choices: number;
  /** A read that breaks because its signal was aborted rejects with its reason; each piece is a sign of life. */
  readonly call: Pick<Call, "signal"> & Partial<Pick<Call, "alive">>;
}

/**
 * The events of an answer with a 2xx status, be it an event stream, one JSON document, or a list of them: the body
 * itself decides. It is whole when each candidate had its `finishReason`, or the prompt was blocked. Rejects with
 * `UpstreamError`: `truncated` if it broke off, `bad-response` if it can't be understood, or what an error in it says.
 */
export function answerOf(response: Response, options: AnswerOptions): AsyncGenerator<ChatEvent, void> {
  return new Answer(options).events(response.body ?? new Blob().stream());
}

class Answer {
  readonly #options: AnswerOptions;
  readonly #chunks: ChunkReader;
  readonly #parser = new SseParser();
  /** A document, or what came since a stream's last event: an error in mid-stream is bare JSON, and no event. */
  #kept: Uint8Array[] = [];
  #keptBytes = 0;
  #isDocument: boolean | undefined;
  #hasEvents = false;
  #failure: UpstreamError | undefined;
  #brokenBy: UpstreamError | undefined;

  constructor(options: AnswerOptions) {
    this.#options = options;
    this.#chunks = new ChunkReader(options.choices);
  }

  async *events(body: ReadableStream<Uint8Array>): AsyncGenerator<ChatEvent, void> {
    try {
      for await (const piece of body) {
        this.#options.call.alive?.();
        yield* this.#take(piece);
        if (this.#failure) break;
      }
    } catch (error) {
      this.#broken(error);
    }
    yield* this.#rest();
    if (this.#chunks.isFinished(this.#isDocument ? 1 : this.#options.choices)) return;
    throw this.#failure ?? this.#brokenBy ?? truncated();
  }

  *#take(piece: Uint8Array): Generator<ChatEvent, void> {
    this.#isDocument ??= startsAsJson(piece);
    if (this.#isDocument) {
      this.#keep(piece);
      if (this.#keptBytes > MAX_DOCUMENT)
        throw new UpstreamError("bad-response", "Gemini's answer is too large");
      return;
    }
    const events = this.#parser.push(piece);
    if (events.length > 0) {
      this.#hasEvents = true;
      this.#kept = [];
      this.#keptBytes = 0;
    }
    if (this.#keptBytes < MAX_TAIL) this.#keep(piece);
    yield* this.#readEvents(events);
  }

  *#rest(): Generator<ChatEvent, void> {
    if (this.#failure) return;
    const text = new TextDecoder().decode(Buffer.concat(this.#kept));
    if (this.#isDocument) return yield* this.#readDocument(text.trim());
    // An event that lacks its blank line is taken where its JSON shows that it is whole.
    yield* this.#readEvents(this.#parser.finish().filter(({ data }) => parseJson(data) !== undefined));
    const last = text.split(/\r?\n\r?\n/).findLast((block) => block.trim() !== "");
    const said = parseJson(last ?? "");
    const error = Array.isArray(said) ? elements(said)[0] : said;
    if (isObject(error) && error["error"]) this.#failure ??= failureIn(error);
    else if (!this.#hasEvents && !EVENTS.test(text)) this.#failure ??= notUnderstood(text.trim());
  }

  *#readEvents(events: readonly SseEvent[]): Generator<ChatEvent, void> {
    for (const { data } of events) {
      if (this.#failure) return;
      if (data.trim() === "" || data === "[DONE]") continue;
      const value = parseAsWritten(data);
      const chunks = Array.isArray(value) ? elements(value) : [value];
      for (const chunk of chunks) yield* this.#readChunk(isObject(chunk) ? chunk : undefined, data);
    }
  }

  *#readDocument(text: string): Generator<ChatEvent, void> {
    const value = parseAsWritten(text);
    if (value === undefined && (this.#brokenBy || !/[}\]]$/.test(text))) return;
    const chunks = Array.isArray(value) ? elements(value) : [value];
    for (const chunk of chunks) yield* this.#readChunk(isObject(chunk) ? chunk : undefined, text);
  }

  *#readChunk(chunk: JsonObject | undefined, text: string): Generator<ChatEvent, void> {
    const said: ChunkSaid =
      chunk && RESPONSE_MEMBERS.some((name) => name in chunk)
        ? this.#chunks.read(chunk)
        : { events: [], failure: notUnderstood(text) };
    yield* said.events;
    this.#failure ??= said.failure;
  }

  /** A connection that breaks is an end like any other, because the answer may be whole. */
  #broken(error: unknown): void {
    this.#options.call.signal.throwIfAborted();
    this.#brokenBy = UpstreamError.is(error) ? error : truncated(error);
  }

  #keep(piece: Uint8Array): void {
    this.#kept.push(piece);
    this.#keptBytes += piece.length;
  }
}

const MAX_DOCUMENT = 64 * 1024 * 1024;
const MAX_TAIL = 64 * 1024;

/** How an event stream begins, so far as it goes; anything else may be a proxy's page. */
const EVENTS = /^\s*($|:|d(a|$)|e(v|$)|i(d|$)|r(e|$))/;

/** By which of its members a `GenerateContentResponse` is known. */
const RESPONSE_MEMBERS = [
  "candidates",
  "promptFeedback",
  "usageMetadata",
  "modelVersion",
  "responseId",
  "error",
];

/** Whether a body is JSON and no event stream, by its first byte that isn't blank; undefined if there is none. */
function startsAsJson(piece: Uint8Array): boolean | undefined {
  const first = piece.find((byte) => !BLANKS.has(byte));
  return first === undefined ? undefined : first === BRACE || first === BRACKET;
}

const BRACE = 0x7b;
const BRACKET = 0x5b;
// Tab, line feed, carriage return, space, and the three bytes of a byte order mark.
const BLANKS = new Set([0x09, 0x0a, 0x0d, 0x20, 0xef, 0xbb, 0xbf]);

function truncated(error?: unknown): UpstreamError {
  const code = error instanceof Error && "code" in error ? ` (${String(error.code)})` : "";
  return new UpstreamError("truncated", `Gemini's answer broke off before its end${code}`);
}

function notUnderstood(text: string): UpstreamError {
  return new UpstreamError("bad-response", `Gemini sent something that is no answer: ${text}`);
}
