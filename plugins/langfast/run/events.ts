import { asString, isObject, member, parseJson } from "modelyard/kit";
import type { JsonObject } from "modelyard/plugin";

/** An event of the prompt runner. Members that it left out are absent. */
export interface RunnerEvent {
  /** The id of the run's job; the service may leave it out. */
  readonly id?: string;
  /** The whole text so far. */
  readonly content?: string;
  /** The end mark: `status: completed` in the last chunk, or the event `completion_finished`. */
  readonly end?: "completed" | "finished";
  /** The message of a failed run; may be empty. */
  readonly failure?: string;
  readonly finishReason?: string;
  readonly usage?: JsonObject;
}

/** A mutable event, filled member by member: spreading objects is too slow for each event of each stream. */
type Draft = { -readonly [Member in keyof RunnerEvent]: RunnerEvent[Member] };

/** Reads an `execution:chunk`: an object, or an object as JSON text. Returns undefined for anything else. */
export function readChunk(data: unknown): RunnerEvent | undefined {
  const chunk = objectFrom(data);
  if (!chunk) return undefined;
  const event = commonMembers(chunk);
  const { content } = chunk;
  if (typeof content === "string") event.content = content;
  if (chunk["status"] === "completed") event.end = "completed";
  return event;
}

/** Reads a `completion_finished`, whose payload may be absent. */
export function readFinished(data: unknown): RunnerEvent {
  return { ...commonMembers(objectFrom(data) ?? {}), end: "finished" };
}

/** Merges an event into the ones before it: later members win, except that nothing overrides those of the end mark. */
export function fold(before: RunnerEvent | undefined, event: RunnerEvent): RunnerEvent {
  if (!before) return event;
  if (before.end === undefined) return { ...before, ...event };
  // A second end mark may add members; a failure after the end is ignored.
  const { failure: _, ...more } = event;
  return { ...more, ...before };
}

function commonMembers(chunk: JsonObject): Draft {
  const event: Draft = {};
  const id = chunk["executionId"];
  if (typeof id === "string" || typeof id === "number") event.id = String(id);
  if (hasFailed(chunk)) event.failure = failureMessage(chunk);
  const finishReason = asString(chunk["finish_reason"]);
  if (finishReason !== "") event.finishReason = finishReason;
  const { usage } = chunk;
  if (isObject(usage)) event.usage = usage;
  return event;
}

function hasFailed({ status, error }: JsonObject): boolean {
  return (
    status === "failed" || status === "error" || !(error === undefined || error === null || error === false)
  );
}

function failureMessage(chunk: JsonObject): string {
  return (
    asString(chunk["error"]) || asString(member(chunk["error"], "message")) || asString(chunk["message"])
  );
}

function objectFrom(data: unknown): JsonObject | undefined {
  if (typeof data !== "string") return isObject(data) ? data : undefined;
  const value = parseJson(data);
  return isObject(value) ? value : undefined;
}
