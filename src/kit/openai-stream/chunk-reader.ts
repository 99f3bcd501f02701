import type { ChatEvent, JsonObject } from "../../contract/index.ts";
import { UpstreamError } from "../../contract/index.ts";
import { failureIn } from "../failure.ts";
import { emptyObject, listOf, numberOf, objectOf, textOf } from "../json.ts";
import type { Said } from "../json.ts";
import { deltaEvents } from "./delta.ts";
import type { ChoiceEvent } from "./delta.ts";
import { finishOf } from "./finish.ts";
import { ToolCalls } from "./tool-calls.ts";
import { usageOf } from "./usage.ts";

/** What one chunk says, and the failure it ends with if it does. */
export interface ChunkEvents {
  readonly events: readonly ChatEvent[];
  readonly failure: UpstreamError | undefined;
}

interface Choice {
  readonly index: number;
  readonly calls: ToolCalls;
  isFinished: boolean;
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
  readonly #said = new Map<string, Said>();
  #finished = 0;

  /** True when all choices that were seen, and at least `expected`, have had their finish reason. */
  isFinished(expected: number): boolean {
    return this.#finished >= Math.max(this.#begun, expected);
  }

  read(chunk: JsonObject): ChunkEvents {
    if (hasFailed(chunk)) return this.#failed(chunk);
    const events: ChatEvent[] = [];
    const fields = this.#news(chunk);
    if (fields) events.push({ type: "extra", at: "chunk", fields });
    let failure: UpstreamError | undefined;
    const choices = listOf(chunk["choices"]);
    for (let place = 0; place < choices.length && !failure; place++) {
      const choice = objectOf(choices[place]);
      if (choice) failure = this.#readChoice(choice, place, events);
    }
    const usage = this.#usageIn(chunk);
    if (usage) events.push(usage);
    return { events, failure };
  }

  /** What was used is billed, failed or not. */
  #failed(chunk: JsonObject): ChunkEvents {
    const usage = this.#usageIn(chunk);
    return { events: usage ? [usage] : [], failure: failureIn(chunk) };
  }

  #usageIn(chunk: JsonObject): ChatEvent | undefined {
    const usage = objectOf(chunk["usage"]) ?? objectOf(objectOf(chunk["x_groq"])?.["usage"]);
    return usage && this.#isNew("usage", usage) ? { type: "usage", usage: usageOf(usage) } : undefined;
  }

  /** The fields at the top of a chunk that were not said before with the same value. */
  #news(chunk: JsonObject): JsonObject | undefined {
    let news: Record<string, Said> | undefined;
    // Not by entries: each chunk of each stream comes this way, and those make a list for each member.
    for (const name of Object.keys(chunk)) {
      const value = chunk[name];
      if (CHUNK_MEMBERS.has(name) || saysNothing(name, value) || !this.#isNew(name, value)) continue;
      news ??= emptyObject();
      news[name] = value;
    }
    return news;
  }

  #isNew(name: string, value: Said): boolean {
    const said = typeof value === "object" ? JSON.stringify(value) : value;
    if (this.#said.get(name) === said) return false;
    // What is larger, or comes after so many names, is passed on each time instead of being remembered.
    if (String(said).length <= 4096 && (this.#said.size < 256 || this.#said.has(name)))
      this.#said.set(name, said);
    else this.#said.delete(name);
    return true;
  }

  #readChoice(said: JsonObject, place: number, events: ChatEvent[]): UpstreamError | undefined {
    const index = numberOf(said["index"]) ?? place;
    if (!Number.isInteger(index) || index < 0 || index >= MAX_CHOICES) {
      return new UpstreamError("bad-response", `the upstream sent a choice with index ${index}`);
    }
    const choice = this.#choiceAt(index);
    // Nothing of a choice may come after its finish; some servers repeat it, or send an empty delta.
    if (choice.isFinished) return undefined;
    const delta = objectOf(said["delta"]);
    const message = delta ?? objectOf(said["message"]);
    const add = (event: ChoiceEvent): unknown =>
      events.push(choice.index === 0 ? event : { ...event, choice: choice.index });
    if (message) {
      for (const event of deltaEvents(message, choice.calls, !delta)) {
        if (event.type === "tool-call" && event.index >= MAX_CALLS) return tooManyCalls();
        add(event);
      }
    } else if (textOf(said["text"]) !== "") add({ type: "text", text: textOf(said["text"]) });
    const fields = ownFields(said, message ? CHAT_MEMBERS : COMPLETION_MEMBERS);
    if (fields) add({ type: "extra", at: "choice", fields });
    if (said["error"]) return failureIn(said);
    const reason = textOf(said["finish_reason"]);
    if (reason === "") return undefined;
    const finish = finishOf(reason, textOf(said["native_finish_reason"]));
    if (UpstreamError.is(finish)) return finish;
    add(finish);
    choice.isFinished = true;
    this.#finished++;
    return undefined;
  }

  #choiceAt(index: number): Choice {
    let choice = this.#choices[index];
    if (!choice) {
      this.#choices[index] = choice = { index, calls: new ToolCalls(), isFinished: false };
      this.#begun += 1;
    }
    return choice;
  }
}

// As many as the events of an answer can tell apart.
const MAX_CHOICES = 1024;
const MAX_CALLS = 1024;

function tooManyCalls(): UpstreamError {
  return new UpstreamError("bad-response", `the upstream called more than ${MAX_CALLS} tools in one answer`);
}

// `obfuscation` is padding for one connection's packets: it means nothing on another.
const CHUNK_MEMBERS = new Set(["object", "choices", "usage", "error", "obfuscation"]);

// `message` beside a delta repeats what was said so far (Perplexity).
const CHAT_MEMBERS = new Set(["index", "delta", "message", "finish_reason", "native_finish_reason", "error"]);

const COMPLETION_MEMBERS = new Set([...CHAT_MEMBERS, "text"]);

function ownFields(choice: JsonObject, known: ReadonlySet<string>): JsonObject | undefined {
  let fields: Record<string, Said> | undefined;
  for (const name of Object.keys(choice)) {
    const value = choice[name];
    if (value === null || known.has(name)) continue;
    fields ??= emptyObject();
    fields[name] = value;
  }
  return fields;
}

/** Azure's first chunk has an empty id and model, and was created in 1970. */
function saysNothing(name: string, value: Said): boolean {
  if (name === "id" || name === "model") return textOf(value) === "";
  if (name === "created") return !numberOf(value);
  return value === null;
}

/** `{"error": …}`, `{"object": "error", …}` (vLLM), `{"type": "error", …}`, or FastAPI's `{"detail": …}`. */
function hasFailed(chunk: JsonObject): boolean {
  if (chunk["error"]) return true;
  if (chunk["choices"]) return false;
  return chunk["object"] === "error" || chunk["type"] === "error" || Boolean(chunk["detail"]);
}
