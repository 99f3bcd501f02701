import type { ChatEvent, FinishEvent, JsonObject } from "../../contract/index.ts";
import { UpstreamError } from "../../contract/index.ts";
import { errorFromBody } from "../http/errors.ts";
import { emptyObject, asArray, asNumber, asObject, asString } from "../json/values.ts";
import type { MaybeJson } from "../json/values.ts";
import { deltaEvents, reasoningForm } from "./delta.ts";
import type { ChoiceEvent, ReasoningForm } from "./delta.ts";
import { finishOf, readFinishReason } from "./finish.ts";
import { notACompletion } from "./errors.ts";
import { usageOf } from "./usage.ts";

/** The events of one chunk, and the error that ends the answer, if any. */
export interface ChunkEvents {
  readonly events: readonly ChatEvent[];
  readonly failure: UpstreamError | undefined;
}

interface Choice {
  readonly index: number;
  /** True once a message of it, even an empty one, has arrived. */
  hasMessage: boolean;
  /** The last finish event. */
  finish: FinishEvent | undefined;
  /** True while it has had output after its last finish reason. */
  hasOutputAfterFinish: boolean;
  /** The name of a reasoning member that was empty so far. */
  emptyReasoning: "reasoning_content" | "reasoning" | undefined;
}

/**
 * Reads OpenAI's chat completion chunks, and whole completions, which are chunks with `message` in place of
 * `delta`; those of legacy completions have `text`.
 * https://platform.openai.com/docs/api-reference/chat-streaming/streaming
 * https://platform.openai.com/docs/api-reference/completions/object
 */
export class ChunkReader {
  /** By index; nearly always one: an array takes a fifth of the memory of a map. */
  readonly #choices: (Choice | undefined)[] = [];
  #begun = 0;
  readonly #lastValues = new Map<string, MaybeJson>();
  #finished = 0;
  readonly #onReasoning: ((form: ReasoningForm) => void) | undefined;
  #form: ReasoningForm | undefined;
  /** True for a document with a choice without a finish reason. */
  lacksFinish = false;

  /** `onReasoning` is that of `OpenAiStreamOptions`. */
  constructor(onReasoning?: (form: ReasoningForm) => void) {
    this.#onReasoning = onReasoning;
  }

  /** True once a choice has arrived. */
  get hasBegun(): boolean {
    return this.#begun > 0;
  }

  /** Returns whether all choices so far, and at least `expected`, have had their finish reason. */
  isFinished(expected: number): boolean {
    return this.#finished >= Math.max(this.#begun, expected);
  }

  /** True while a choice has had output after its last finish reason: then only an end marker shows that it is complete. */
  get hasOutputAfterFinish(): boolean {
    return this.#choices.some((choice) => choice?.hasOutputAfterFinish);
  }

  read(chunk: JsonObject): ChunkEvents {
    if (hasError(chunk)) return this.#failed(chunk);
    const events: ChatEvent[] = [];
    const fields = this.#newFields(chunk);
    if (fields) events.push({ type: "extra", at: "chunk", fields });
    let failure: UpstreamError | undefined;
    const choices = asArray(chunk["choices"]);
    for (let place = 0; place < choices.length && !failure; place++) {
      const choice = asObject(choices[place]);
      if (choice) failure = this.#readChoice(choice, place, events);
    }
    const usage = this.#usageIn(chunk);
    if (usage) events.push(usage);
    return { events, failure };
  }

  /** Usage is billed even if the answer failed. */
  #failed(chunk: JsonObject): ChunkEvents {
    const usage = this.#usageIn(chunk);
    return { events: usage ? [usage] : [], failure: errorFromBody(chunk) };
  }

  #usageIn(chunk: JsonObject): ChatEvent | undefined {
    const usage = asObject(chunk["usage"]) ?? asObject(asObject(chunk["x_groq"])?.["usage"]);
    return usage && this.#isNew("usage", usage) ? { type: "usage", usage: usageOf(usage) } : undefined;
  }

  /**
   * Reads a whole document. A document that parses is complete: a choice without a finish reason ends with `stop` and
   * a `native_finish_reason` of null.
   */
  readDocument(document: JsonObject): ChunkEvents {
    const { events, failure } = this.read(document);
    if (failure) return { events, failure };
    const choices = this.#choices.filter((choice) => choice !== undefined);
    if (choices.length === 0 || choices.some(({ hasMessage }) => !hasMessage))
      return { events, failure: notACompletion(JSON.stringify(document)) };
    const all = [...events];
    const unfinished = choices.filter(({ finish }) => !finish);
    for (const choice of unfinished) this.#finish(choice, UNNAMED_FINISH, all);
    this.lacksFinish = unfinished.length > 0;
    return { events: all, failure: undefined };
  }

  /** Returns the top-level fields of a chunk whose value has changed. */
  #newFields(chunk: JsonObject): JsonObject | undefined {
    let news: Record<string, MaybeJson> | undefined;
    // Not Object.entries, which allocates an array for each member: this runs for each chunk.
    for (const name of Object.keys(chunk)) {
      const value = chunk[name];
      if (CHUNK_MEMBERS.has(name) || isPlaceholder(name, value) || !this.#isNew(name, value)) continue;
      news ??= emptyObject();
      news[name] = value;
    }
    return news;
  }

  #isNew(name: string, value: MaybeJson): boolean {
    const said = typeof value === "object" ? JSON.stringify(value) : value;
    if (this.#lastValues.get(name) === said) return false;
    // Larger values, and those of more than 256 names, are passed on each time instead of being remembered.
    if (String(said).length <= 4096 && (this.#lastValues.size < 256 || this.#lastValues.has(name)))
      this.#lastValues.set(name, said);
    else this.#lastValues.delete(name);
    return true;
  }

  #readChoice(said: JsonObject, place: number, events: ChatEvent[]): UpstreamError | undefined {
    const index = asNumber(said["index"]) ?? place;
    if (!Number.isInteger(index) || index < 0 || index >= MAX_CHOICES) {
      return new UpstreamError("bad-response", `the upstream sent a choice with index ${index}`);
    }
    const choice = this.#choiceAt(index);
    const delta = asObject(said["delta"]);
    const message = delta ?? asObject(said["message"]);
    const before = events.length;
    const failure = message
      ? addAll(events, choice, this.#messageEvents(choice, message, !delta))
      : addAll(events, choice, textEvents(asString(said["text"])));
    choice.hasMessage ||= message !== undefined || typeof said["text"] === "string";
    choice.hasOutputAfterFinish ||= choice.finish !== undefined && events.length > before;
    const fields = unknownFields(said, message ? CHAT_MEMBERS : COMPLETION_MEMBERS);
    if (fields) addAll(events, choice, [{ type: "extra", at: "choice", fields }]);
    if (failure) return failure;
    return said["error"] ? errorFromBody(said) : this.#readFinish(said, choice, events);
  }

  #messageEvents(choice: Choice, message: JsonObject, isWhole: boolean): ChoiceEvent[] {
    const events = deltaEvents(message, isWhole);
    if (events.some(({ type }) => type === "reasoning")) {
      choice.emptyReasoning = undefined;
      const form = reasoningForm(message);
      if (form !== undefined && form !== this.#form) this.#onReasoning?.((this.#form = form));
      return events;
    }
    if (isWhole) return events;
    if (message["reasoning_content"] === "") choice.emptyReasoning ??= "reasoning_content";
    else if (message["reasoning"] === "") choice.emptyReasoning ??= "reasoning";
    const { emptyReasoning: name } = choice;
    // Sent with the first call, which commits the answer anyway: DeepSeek wants it back there.
    if (name === undefined || !events.some(({ type }) => type === "tool-call")) return events;
    choice.emptyReasoning = undefined;
    return [{ type: "extra", at: "delta", fields: { [name]: "" } }, ...events];
  }

  #readFinish(said: JsonObject, choice: Choice, events: ChatEvent[]): UpstreamError | undefined {
    const reason = readFinishReason(said["finish_reason"]);
    if (reason === "") return undefined;
    const finish = finishOf(reason, readFinishReason(said["native_finish_reason"]));
    if (UpstreamError.is(finish)) return finish;
    this.#finish(choice, finish, events);
    return undefined;
  }

  #finish(choice: Choice, finish: FinishEvent, events: ChatEvent[]): void {
    if (!choice.finish) this.#finished += 1;
    const isNews = choice.hasOutputAfterFinish || choice.finish?.reason !== finish.reason;
    if (isNews) addAll(events, choice, [finish]);
    choice.finish = finish;
    choice.hasOutputAfterFinish = false;
  }

  #choiceAt(index: number): Choice {
    let choice = this.#choices[index];
    if (!choice) {
      choice = {
        index,
        hasMessage: false,
        finish: undefined,
        hasOutputAfterFinish: false,
        emptyReasoning: undefined,
      };
      this.#choices[index] = choice;
      this.#begun += 1;
    }
    return choice;
  }
}

const UNNAMED_FINISH: FinishEvent = {
  type: "finish",
  reason: "stop",
  fields: { native_finish_reason: null },
};

// The limits of the contract for one answer.
const MAX_CHOICES = 1024;
const MAX_CALLS = 1024;

/** Adds the events of a choice; returns the error of one that the gateway would refuse. */
function addAll(
  events: ChatEvent[],
  { index }: Choice,
  said: readonly ChoiceEvent[],
): UpstreamError | undefined {
  for (const event of said) {
    const fault = event.type === "tool-call" ? indexFault(event.index) : undefined;
    if (fault) return new UpstreamError("bad-response", fault);
    events.push(index === 0 ? event : { ...event, choice: index });
  }
  return undefined;
}

function indexFault(call: number): string | undefined {
  if (!Number.isInteger(call) || call < 0) return `the upstream sent a tool call with index ${call}`;
  return call < MAX_CALLS ? undefined : `the upstream called more than ${MAX_CALLS} tools in one answer`;
}

function textEvents(text: string): readonly ChoiceEvent[] {
  return text === "" ? NONE : [{ type: "text", text }];
}

const NONE: readonly ChoiceEvent[] = [];

// `obfuscation` is padding for one connection's packets: it means nothing on another.
const CHUNK_MEMBERS = new Set(["object", "choices", "usage", "error", "obfuscation"]);

// `message` beside a delta repeats the answer so far (Perplexity).
const CHAT_MEMBERS = new Set(["index", "delta", "message", "finish_reason", "native_finish_reason", "error"]);

const COMPLETION_MEMBERS = new Set([...CHAT_MEMBERS, "text"]);

function unknownFields(choice: JsonObject, known: ReadonlySet<string>): JsonObject | undefined {
  let fields: Record<string, MaybeJson> | undefined;
  for (const name of Object.keys(choice)) {
    const value = choice[name];
    if (value === null || known.has(name)) continue;
    fields ??= emptyObject();
    fields[name] = value;
  }
  return fields;
}

/** Azure's first chunk has an empty id and model, and was created in 1970. */
function isPlaceholder(name: string, value: MaybeJson): boolean {
  if (name === "id" || name === "model") return asString(value) === "";
  if (name === "created") return !asNumber(value);
  return value === null;
}

/** `{"error": …}`, `{"object": "error", …}` (vLLM), `{"type": "error", …}`, or FastAPI's `{"detail": …}`. */
export function hasError(chunk: JsonObject): boolean {
  if (chunk["error"]) return true;
  if (chunk["choices"]) return false;
  return chunk["object"] === "error" || chunk["type"] === "error" || Boolean(chunk["detail"]);
}
