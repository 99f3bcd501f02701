import { UpstreamError } from "modelyard/plugin";
import type { ChatEvent, FinishEvent, Json, JsonObject } from "modelyard/plugin";
import { asArray, asNumber, asString, errorFromBody, isObject, member } from "modelyard/kit";
import { Candidate } from "./candidate.ts";
import { usageOf } from "./usage.ts";

/** The events of an answer's piece, and the error that ends it, if any. */
export interface ChunkUpdate {
  readonly events: readonly ChatEvent[];
  readonly failure: UpstreamError | undefined;
}

const MAX_CHOICES = 128;

/** OpenAI's names of Gemini's members. */
const RENAMED = new Map([
  ["responseId", "id"],
  ["modelVersion", "model"],
]);

/** Reads the `GenerateContentResponse` of a plain answer, or those of a stream. */
export class ChunkReader {
  readonly #candidates = new Map<number, Candidate>();
  readonly #expected: number;
  /** The last value of each member of the whole answer, as JSON: each chunk repeats them. */
  readonly #whole = new Map<string, string>();

  /** `expected` is the number of requested candidates. */
  constructor(expected: number) {
    this.#expected = expected;
  }

  #hasRead = false;

  /** True after the first response. */
  get hasRead(): boolean {
    return this.#hasRead;
  }

  /** True after the first content or end of a candidate. */
  get hasAnswer(): boolean {
    return [...this.#candidates.values()].some((candidate) => candidate.hasContent || candidate.isFinished);
  }

  /** True if a candidate's content has followed its last finish reason. */
  get isOutrun(): boolean {
    return [...this.#candidates.values()].some((candidate) => candidate.hasContentAfterFinish);
  }

  /**
   * Returns the missing ends of a document's candidates. A document that parses isn't truncated: a missing reason
   * becomes `stop` with a `native_finish_reason` of null.
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

  /** Returns whether all candidates so far have finished, and at least `atLeast`. */
  isFinished(atLeast = this.#expected): boolean {
    const candidates = [...this.#candidates.values()];
    return candidates.length >= atLeast && candidates.every((candidate) => candidate.isFinished);
  }

  read(chunk: JsonObject): ChunkUpdate {
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

  #readCandidate(json: JsonObject, place: number, events: ChatEvent[]): UpstreamError | undefined {
    const choice = asNumber(json["index"]) ?? place;
    if (!Number.isInteger(choice) || choice < 0 || choice >= MAX_CHOICES) {
      return new UpstreamError("bad-response", `Gemini sent a candidate with index ${choice}`);
    }
    const candidate = this.#candidateAt(choice);
    const { events: own, failure } = candidate.read(json);
    events.push(...own.map((event) => (choice === 0 ? event : { ...event, choice })));
    return failure;
  }

  #candidateAt(choice: number): Candidate {
    const candidate = this.#candidates.get(choice) ?? new Candidate();
    this.#candidates.set(choice, candidate);
    return candidate;
  }

  /** Ends each requested candidate without content, as the prompt was blocked. */
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
    const json = JSON.stringify(value);
    if (this.#whole.get(name) === json) return false;
    this.#whole.set(name, json);
    return true;
  }
}
