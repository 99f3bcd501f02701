import { asString, isObject, member, parseJson } from "modelyard/kit";
import type { JsonObject } from "modelyard/plugin";

/** What the prompt runner says of a run. A member that it didn't mention isn't there. */
export interface RunnerEvent {
  /** The execution it belongs to, which is the run's job; the service may leave it out. */
  readonly id?: string;
  /** The whole text so far. */
  readonly content?: string;
  /** By which of the two marks the run ended. */
  readonly end?: "completed" | "finished";
  /** The run failed, and what was said about it (which can be nothing). */
  readonly failure?: string;
  readonly finishReason?: string;
  readonly usage?: JsonObject;
}

/** An event in the making: member by member, since each event of each stream is made so. */
type Draft = { -readonly [Member in keyof RunnerEvent]: RunnerEvent[Member] };

/** Reads an `execution:chunk`: an object, or one as a JSON string. Undefined for anything else. */
export function readChunk(data: unknown): RunnerEvent | undefined {
  const chunk = objectFrom(data);
  if (!chunk) return undefined;
  const event = commonMembers(chunk);
  const { content } = chunk;
  if (typeof content === "string") event.content = content;
  if (chunk["status"] === "completed") event.end = "completed";
  return event;
}

/** Reads a `completion_finished`, which need not say anything. */
export function readFinished(data: unknown): RunnerEvent {
  return { ...commonMembers(objectFrom(data) ?? {}), end: "finished" };
}

/** What is known when one event came after another: the newer word on each thing counts, until the end mark. */
export function fold(before: RunnerEvent | undefined, event: RunnerEvent): RunnerEvent {
  if (!before) return event;
  if (before.end === undefined) return { ...before, ...event };
  // A second mark may add what the first left out; a failure that comes after the end takes nothing back.
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
