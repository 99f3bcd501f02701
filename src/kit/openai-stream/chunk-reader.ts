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

/** What one chunk says, and the failure it ends with if it does. */
export interface ChunkEvents {
  readonly events: readonly ChatEvent[];
  readonly failure: UpstreamError | undefined;
}

interface Choice {
  readonly index: number;
  /** True once something of it was there, be it empty. */
  hasMessage: boolean;
  /** The last that it had. */
  finish: FinishEvent | undefined;
  /** True while it has said more behind its last finish reason. */
  hasOutputAfterFinish: boolean;
  /** The name of the reasoning that was there but empty, until some has come. */
  emptyReasoning: "reasoning_content" | "reasoning" | undefined;
}

/**
 * Reads OpenAI's chat completion chunks, and whole completions, which are chunks with `message` in place of
 * `delta`; those of legacy completions have `text`.
 * https://platform.openai.com/docs/api-reference/chat-streaming/streaming
 * https://platform.openai.com/docs/api-reference/completions/object
 */
export class ChunkReader {
  /** Nearly always one: a list takes a fifth of the memory of a map. */
  readonly #choices: (Choice | undefined)[] = [];
  #begun = 0;
  readonly #said = new Map<string, MaybeJson>();
  #finished = 0;
  readonly #onReasoning: ((form: ReasoningForm) => void) | undefined;
  #form: ReasoningForm | undefined;
  /** True for a document that gave a choice no finish reason. */
  lacksFinish = false;

  /** `onReasoning` is as `OpenAiStreamOptions` says. */
  constructor(onReasoning?: (form: ReasoningForm) => void) {
    this.#onReasoning = onReasoning;
  }

  /** True once a choice was seen. */
  get hasBegun(): boolean {
    return this.#begun > 0;
  }

  /** True when all choices that were seen, and at least `expected`, have had their finish reason. */
  isFinished(expected: number): boolean {
    return this.#finished >= Math.max(this.#begun, expected);
  }

  /** True when a choice has said more behind its last finish reason: only an end mark can tell that this was all. */
  get hasOutputAfterFinish(): boolean {
    return this.#choices.some((choice) => choice?.hasOutputAfterFinish);
  }

  read(chunk: JsonObject): ChunkEvents {
    if (hasError(chunk)) return this.#failed(chunk);
    const events: ChatEvent[] = [];
    const fields = this.#news(chunk);
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

  /** What was used is billed, failed or not. */
  #failed(chunk: JsonObject): ChunkEvents {
    const usage = this.#usageIn(chunk);
    return { events: usage ? [usage] : [], failure: errorFromBody(chunk) };
  }

  #usageIn(chunk: JsonObject): ChatEvent | undefined {
    const usage = asObject(chunk["usage"]) ?? asObject(asObject(chunk["x_groq"])?.["usage"]);
    return usage && this.#isNew("usage", usage) ? { type: "usage", usage: usageOf(usage) } : undefined;
  }

  /**
   * Reads a whole document. One that parses did not break off: a choice without a finish reason ends with `stop`,
   * marked by a `native_finish_reason` of null.
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

  /** The fields at the top of a chunk that were not said before with the same value. */
  #news(chunk: JsonObject): JsonObject | undefined {
    let news: Record<string, MaybeJson> | undefined;
    // Not by entries: each chunk of each stream comes this way, and those make a list for each member.
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
    if (this.#said.get(name) === said) return false;
    // What is larger, or comes after so many names, is passed on each time instead of being remembered.
    if (String(said).length <= 4096 && (this.#said.size < 256 || this.#said.has(name)))
      this.#said.set(name, said);
    else this.#said.delete(name);
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
    // Told with the first call, which commits the answer anyway: DeepSeek asks for it back there.
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

// As many as the events of an answer can tell apart.
const MAX_CHOICES = 1024;
const MAX_CALLS = 1024;

/** Adds what a choice says, until an event that the gateway couldn't take: then what is wrong with it. */
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

// `message` beside a delta repeats what was said so far (Perplexity).
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
