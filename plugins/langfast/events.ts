import type { Json, JsonObject } from "modelyard/plugin";
import { isObject, textIn } from "./json.ts";

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

/** Reads an `execution:chunk`: an object, or one as a JSON string. Undefined for anything else. */
export function readChunk(data: unknown): RunnerEvent | undefined {
  const chunk = objectFrom(data);
  if (!chunk) return undefined;
  const common = commonMembers(chunk);
  const { content } = chunk;
  if (chunk["status"] === "completed") return { ...common, ...textMember(content), end: "completed" };
  return { ...common, ...textMember(content) };
}

/** Reads a `completion_finished`, which need not say anything. */
export function readFinished(data: unknown): RunnerEvent {
  return { ...commonMembers(objectFrom(data) ?? {}), end: "finished" };
}

/** What is known when one event came after another: the newer word on each thing counts, until the end mark. */
export function fold(before: RunnerEvent | undefined, event: RunnerEvent): RunnerEvent {
  if (before?.end === undefined) return { ...before, ...event };
  // A second mark may add what the first left out; a failure that comes after the end takes nothing back.
  const { failure: _, ...more } = event;
  return { ...more, ...before };
}

function commonMembers(chunk: JsonObject): RunnerEvent {
  const id = chunk["executionId"];
  const finishReason = textIn(chunk, "finish_reason");
  const { usage } = chunk;
  return {
    ...(typeof id === "string" || typeof id === "number" ? { id: String(id) } : {}),
    ...(hasFailed(chunk) ? { failure: failureMessage(chunk) } : {}),
    ...(finishReason === undefined ? {} : { finishReason }),
    ...(isObject(usage) ? { usage } : {}),
  };
}

function textMember(content: Json | undefined): RunnerEvent {
  return typeof content === "string" ? { content } : {};
}

function hasFailed({ status, error }: JsonObject): boolean {
  return (
    status === "failed" || status === "error" || !(error === undefined || error === null || error === false)
  );
}

const LONGEST_MESSAGE = 500;

function failureMessage(chunk: JsonObject): string {
  const said = textIn(chunk, "error") ?? textIn(chunk["error"], "message") ?? textIn(chunk, "message") ?? "";
  return said.slice(0, LONGEST_MESSAGE).toWellFormed();
}

function objectFrom(data: unknown): JsonObject | undefined {
  if (typeof data !== "string") return isObject(data) ? data : undefined;
  try {
    const value: unknown = JSON.parse(data);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
