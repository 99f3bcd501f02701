import { isObject } from "./json.ts";
import type { Json, JsonObject } from "./json.ts";

/** Why an answer ended, in OpenAI's words. */
export type FinishReason = "stop" | "length" | "tool_calls" | "content_filter";

/**
 * One thing an upstream says while it answers. `choice` is the index of the answer it belongs to when a
 * request asked for several (`n`); absent means 0.
 *
 * Each choice ends with exactly one `finish`. `usage` may come at any time, before or after it. All other
 * events of a choice come before its `finish`; the core holds it until the stream ends, so that what an upstream
 * says behind one isn't lost. Every event except `usage` and an `extra` at chunk level commits the answer: from
 * then on no other upstream can be tried.
 */
export type ChatEvent = CanonicalEvent | NativeEvent;

/** What an answer says, in the one form that the core knows of every upstream. */
export type CanonicalEvent =
  | TextEvent
  | ReasoningEvent
  | ToolCallEvent
  | ExtraEvent
  | FinishEvent
  | UsageEvent;

/** A piece of the answer's text: what was added, never what was said so far. */
export interface TextEvent {
  readonly type: "text";
  readonly text: string;
  readonly choice?: number;
}

/**
 * A piece of the model's reasoning. Upstreams that sign their reasoning (Anthropic, Gemini) number its
 * blocks and give a block's `signature`, or, for a block kept secret, its `redacted` data.
 */
export interface ReasoningEvent {
  readonly type: "reasoning";
  readonly text: string;
  readonly block?: number;
  readonly signature?: string;
  readonly redacted?: string;
  readonly choice?: number;
}

/**
 * A piece of a tool call. `index` numbers the calls of a choice from 0. `id` and `name` belong to a call's
 * first event; `arguments` is the next piece of the JSON text. `fields` are the upstream's own members of this call:
 * they stand beside `id` in the client's answer (those of `function` within it), and `extra_content` is the name that
 * clients know for what must be given back. The core makes an id that never comes, or that another call has, gives a
 * call without arguments `{}`, and fails an answer that ends with `stop` or `tool_calls` and has arguments that are no
 * JSON.
 */
export interface ToolCallEvent {
  readonly type: "tool-call";
  readonly index: number;
  readonly id?: string;
  readonly name?: string;
  readonly arguments?: string;
  readonly fields?: JsonObject;
  readonly choice?: number;
}

/**
 * Anything else the upstream said, under the upstream's own names: `logprobs`, `refusal`, citations,
 * `system_fingerprint` … `at` says where in an OpenAI chunk it stands: beside the text (`delta`), beside
 * the finish reason (`choice`) or beside `id` and `model` (`chunk`; `id`, `created` and `model` there become
 * the answer's own). When an answer is collected, repeated fields fold as `foldExtra` says.
 */
export interface ExtraEvent {
  readonly type: "extra";
  readonly at: "delta" | "choice" | "chunk";
  readonly fields: JsonObject;
  readonly choice?: number;
}

/** The end of one choice: the upstream's own terminal mark was seen. `native` is its own word for the reason. */
export interface FinishEvent {
  readonly type: "finish";
  readonly reason: FinishReason;
  readonly native?: string;
  readonly stopSequence?: string;
  readonly fields?: JsonObject;
  readonly choice?: number;
}

/** The tokens spent so far; cumulative, the last value of each field counts. */
export interface UsageEvent {
  readonly type: "usage";
  readonly usage: Usage;
}

/**
 * A frame as the upstream wrote it, for a client of the same API, with the events that it stands for; only what
 * `Upstream.native` returns may hold any. The client gets the frame and not the events, by which the core does all
 * else: commit, limits, ledger, cache, honest ends. The frame goes out once all its events are found good; that of a
 * `finish`, and what follows it, at the answer's end. A ping is given as no event at all, and an error is thrown.
 */
export interface NativeEvent {
  readonly type: "native";
  /** The server-sent event's name; `document` for a plain answer, whose `data` is then the whole body. */
  readonly name: string;
  readonly data: string;
  /** None where the frame says nothing of the answer. */
  readonly events: readonly CanonicalEvent[];
}

/** Token counts as the upstream measured them. Absent means unknown; never put a zero that wasn't measured. */
export interface Usage {
  /** All tokens of the request, cached ones included. */
  readonly input?: number;
  /** Those of `input` that were read from the upstream's prompt cache. */
  readonly cachedInput?: number;
  /** Those of `input` that were written to the upstream's prompt cache. */
  readonly cacheWrite?: number;
  /** All tokens of the answer, reasoning included. */
  readonly output?: number;
  /** Those of `output` that were reasoning. */
  readonly reasoning?: number;
  /** The upstream's own usage object, which is handed to OpenAI clients as it is. */
  readonly raw?: JsonObject;
}

/**
 * What `chat` gives back: usually an async generator. The core leaves by `return()` when nobody listens any
 * more; free what you hold in `finally` or `using`, and race your waits with `call.signal`, because a
 * generator isn't interrupted while it awaits.
 */
export interface ChatStream extends AsyncIterable<ChatEvent> {
  /**
   * Returns the same events, those together that arrived together; asked once, and instead of the iterator. Optional:
   * the core then spends on each batch what it would spend on each event. `openaiStream` and `sse` of the kit offer it.
   */
  batches?(): Batches;
}

/** An answer in batches: an iterator that answers at once with what is there, and makes a promise only to wait. */
export interface Batches {
  /** Returns the next batch or the end, or a promise of it; throws or rejects like an iterator of events. One at a time. */
  next(): NextBatch | PromiseLike<NextBatch>;
  /** Called when nobody wants the rest. */
  return?(value?: undefined): Promise<unknown>;
}

/** A batch of events, or the end. */
export type NextBatch = IteratorResult<readonly ChatEvent[], void>;

/**
 * What `embed` gives back: one vector for each input, in their order; a text only where the request has an
 * `encoding_format`, for the client to read.
 */
export interface EmbedResult {
  readonly vectors: readonly (readonly number[] | Float32Array | string)[];
  readonly usage?: Usage;
  /** The upstream's own name of the model. */
  readonly model?: string;
  /** The upstream's other fields of the whole answer. */
  readonly fields?: JsonObject;
}

/**
 * `extra` fields that come in pieces wherever they stand: strings and arrays that are to be concatenated, or the
 * members of an object that are.
 */
const IN_PIECES: ReadonlyMap<string, true | readonly string[]> = new Map<string, true | readonly string[]>([
  ["refusal", true],
  ["annotations", true],
  ["reasoning_details", true],
  ["text_citations", true],
  ["content_blocks", true],
  ["logprobs", ["content", "refusal"]],
  ["function_call", ["arguments"]],
  ["audio", ["data", "transcript"]],
]);

/** `extra` fields collected so far: see `foldExtra`. */
export type FoldedFields = Record<string, Json | undefined>;

/**
 * Folds the fields of one more `extra` event into `collected`, which it changes: what comes in pieces
 * (`refusal`, `logprobs`, `annotations` …), and with `at` `delta` every list, is put together; everything else is
 * replaced by its last value.
 */
export function foldExtra(collected: FoldedFields, fields: JsonObject, at?: ExtraEvent["at"]): void {
  for (const name of Object.keys(fields)) {
    const value = fields[name];
    const pieces = IN_PIECES.get(name) ?? (at === "delta" && Array.isArray(value));
    if (pieces === false) define(collected, name, value);
    else if (pieces === true || !isObject(value)) append(collected, name, value);
    else foldMembers(collected, name, { value, pieces });
  }
}

function foldMembers(
  collected: FoldedFields,
  name: string,
  more: { value: JsonObject; pieces: readonly string[] },
): void {
  const before = collected[name];
  const folded: FoldedFields = isObject(before) ? (before as FoldedFields) : {};
  for (const member of Object.keys(more.value)) {
    const value = more.value[member];
    if (member === "data") define(folded, member, joinBase64(folded[member], value));
    else if (more.pieces.includes(member)) append(folded, member, value);
    else define(folded, member, value);
  }
  define(collected, name, folded as JsonObject);
}

/** Joins sound, of which each piece may be encoded by itself, or be a part of one text. */
function joinBase64(before: Json | undefined, piece: Json | undefined): Json | undefined {
  if (typeof before !== "string" || typeof piece !== "string") return piece ?? before;
  // Only what has its padding is a text of its own.
  const end = before.slice(-4);
  if (!end.endsWith("=") || !IS_BASE64.test(end) || !IS_BASE64.test(piece)) return before + piece;
  const last = Uint8Array.fromBase64(end);
  const more = Uint8Array.fromBase64(piece);
  const joined = new Uint8Array(last.length + more.length);
  joined.set(last);
  joined.set(more, last.length);
  return before.slice(0, -4) + joined.toBase64();
}

const IS_BASE64 = /^(?:[A-Za-z\d+/]{4})*(?:[A-Za-z\d+/]{2}==|[A-Za-z\d+/]{3}=)?$/;

/** Appends arrays in place, so that a long answer's logprobs are not copied for each token. */
function append(collected: FoldedFields, name: string, value: Json | undefined): void {
  const before = collected[name];
  if (typeof before === "string" && typeof value === "string") define(collected, name, before + value);
  else if (Array.isArray(before) && Array.isArray(value)) before.push(...value);
  else if (Array.isArray(value)) define(collected, name, [...value]);
  else define(collected, name, value ?? before ?? value);
}

/** Assignment, but a field that an upstream calls `__proto__` is a field like any other. */
function define(target: FoldedFields, name: string, value: Json | undefined): void {
  Object.defineProperty(target, name, { value, writable: true, enumerable: true, configurable: true });
}
