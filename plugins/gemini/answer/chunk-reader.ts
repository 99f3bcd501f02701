import { UpstreamError } from "modelyard/plugin";
import type { ChatEvent, FinishEvent, Json, JsonObject } from "modelyard/plugin";
import { asArray, asNumber, asString, errorFromBody, isObject, member } from "modelyard/kit";
import { Candidate } from "./candidate.ts";
import { usageOf } from "./usage.ts";

/** What one piece of an answer says, and the failure it ends with if it does. */
export interface ChunkSaid {
  readonly events: readonly ChatEvent[];
  readonly failure: UpstreamError | undefined;
}

const MAX_CHOICES = 128;

/** Gemini's names of what OpenAI's chunks have, too. */
const RENAMED = new Map([
  ["responseId", "id"],
  ["modelVersion", "model"],
]);

/** Reads Gemini's `GenerateContentResponse`s, the one of a plain answer or those of a stream. */
export class ChunkReader {
  readonly #candidates = new Map<number, Candidate>();
  readonly #expected: number;
  /** By name, what was last said of the whole answer: each chunk repeats it. */
  readonly #whole = new Map<string, string>();

  /** `expected` is how many candidates were asked for. */
  constructor(expected: number) {
    this.#expected = expected;
  }

  #hasRead = false;

  /** True once a response was read. */
  get hasRead(): boolean {
    return this.#hasRead;
  }

  /** True once a candidate has said something, or ended. */
  get hasAnswer(): boolean {
    return [...this.#candidates.values()].some((candidate) => candidate.hasContent || candidate.isFinished);
  }

  /** True when a candidate has said more behind its last finish reason. */
  get isOutrun(): boolean {
    return [...this.#candidates.values()].some((candidate) => candidate.isOutrun);
  }

  /**
   * The missing ends of a document's candidates. One that parses did not break off: where it says no reason, `stop`
   * stands, marked by a `native_finish_reason` of null.
   */
  endAll(): FinishEvent[] {
    const ended: FinishEvent[] = [];
    for (const [choice, candidate] of this.#candidates) {
      if (!candidate.isFinished)
        ended.push({
          type: "finish",
          reason: "stop",
          fields: { native_finish_reason: null },
          ...(choice > 0 && { choice }),
        });
      candidate.isFinished = true;
    }
    return ended;
  }

  /** Whether each candidate that was seen has finished, and at least `atLeast` have. */
  isFinished(atLeast = this.#expected): boolean {
    const candidates = [...this.#candidates.values()];
    return candidates.length >= atLeast && candidates.every((candidate) => candidate.isFinished);
  }

  read(chunk: JsonObject): ChunkSaid {
    this.#hasRead = true;
    if (chunk["error"]) return { events: this.#usageIn(chunk), failure: errorFromBody(chunk) };
    const events: ChatEvent[] = [];
    let failure: UpstreamError | undefined;
    const fields = this.#news(chunk);
    if (fields) events.push({ type: "extra", at: "chunk", fields });
    for (const [place, candidate] of asArray(chunk["candidates"]).entries()) {
      if (isObject(candidate)) failure ??= this.#readCandidate(candidate, place, events);
    }
    const blocked = asString(member(chunk["promptFeedback"], "blockReason"));
    if (blocked !== "") events.push(...this.#block(blocked));
    events.push(...this.#usageIn(chunk));
    return { events, failure };
  }

  #usageIn(chunk: JsonObject): ChatEvent[] {
    const usage = chunk["usageMetadata"];
    return isObject(usage) && this.#isNew("usageMetadata", usage)
      ? [{ type: "usage", usage: usageOf(usage) }]
      : [];
  }

  #readCandidate(said: JsonObject, place: number, events: ChatEvent[]): UpstreamError | undefined {
    const choice = asNumber(said["index"]) ?? place;
    if (!Number.isInteger(choice) || choice < 0 || choice >= MAX_CHOICES) {
      return new UpstreamError("bad-response", `Gemini sent a candidate with index ${choice}`);
    }
    const candidate = this.#candidateAt(choice);
    const { events: own, failure } = candidate.read(said);
    events.push(...own.map((event) => (choice === 0 ? event : { ...event, choice })));
    return failure;
  }

  #candidateAt(choice: number): Candidate {
    const candidate = this.#candidates.get(choice) ?? new Candidate();
    this.#candidates.set(choice, candidate);
    return candidate;
  }

  /** The prompt was blocked: no candidate comes, and each that was asked for ends empty. */
  #block(native: string): FinishEvent[] {
    const ended: FinishEvent[] = [];
    for (let choice = 0; choice < this.#expected; choice++) {
      const candidate = this.#candidateAt(choice);
      if (!candidate.isFinished)
        ended.push({ type: "finish", reason: "content_filter", native, ...(choice > 0 && { choice }) });
      candidate.isFinished = true;
    }
    return ended;
  }

  #news(chunk: JsonObject): JsonObject | undefined {
    const fields: Record<string, Json> = {};
    for (const [name, value] of Object.entries(chunk)) {
      if (name === "candidates" || name === "usageMetadata" || value === undefined || value === null)
        continue;
      if (this.#isNew(name, value)) fields[RENAMED.get(name) ?? name] = value;
    }
    return Object.keys(fields).length > 0 ? fields : undefined;
  }

  #isNew(name: string, value: Json): boolean {
    const said = JSON.stringify(value);
    if (this.#whole.get(name) === said) return false;
    this.#whole.set(name, said);
    return true;
  }
}
