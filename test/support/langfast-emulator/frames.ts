import type { JsonObject } from "../../../src/contract/json.ts";
import type { RunRecord } from "./records.ts";
import type { RunFault, RunScript } from "./script.ts";
import { inPieces } from "./text.ts";

/** One event on the socket. */
export interface Frame {
  readonly event: string;
  readonly payload: readonly unknown[];
}

/** All events of a run that goes well, in their order. */
export function framesOf(run: RunRecord, script: RunScript): readonly Frame[] {
  const end = script.end ?? "both";
  const snapshots = scriptedSnapshots(run.text, script);
  const chunks: JsonObject[] = snapshots.map((content) => ({ content, status: "running" }));
  if (end !== "none") endLastChunk(chunks, run, script);
  const frames = chunks.map((chunk) => chunkFrame(run, chunk, script));
  if (end === "finished" || end === "both") frames.push(finishedFrame(run, script));
  return frames;
}

/** The event by which a run says that it failed; undefined for a fault that says nothing. */
export function faultFrame(run: RunRecord, fault: RunFault, script: RunScript): Frame | undefined {
  const message = fault.message ?? "the model failed";
  switch (fault.how) {
    case "failed":
    case "error":
      return chunkFrame(run, { status: fault.how, content: message }, script);
    case "error-member":
      return chunkFrame(run, { status: "running", error: { message } }, script);
    case "error-text":
      return chunkFrame(run, { status: "running", error: message }, script);
    case "drop":
    case "disconnect":
    case "silence":
      return undefined;
  }
}

/** Events nobody knows, for `RunScript.noise`. */
export const NOISE: readonly Frame[] = [
  { event: "execution:progress", payload: [{ percent: 50, content: "not for you" }] },
  { event: "presence:sync", payload: ["completed", 1, null] },
  { event: "pong", payload: [] },
];

function scriptedSnapshots(text: string, script: RunScript): readonly string[] {
  const snapshots = (script.pieces ?? inPieces(12))(text);
  const middle = Math.floor(snapshots.length / 2);
  switch (script.snapshots ?? "normal") {
    case "normal":
      return snapshots;
    case "rewrite":
      return snapshots.map((said, index) => (index < middle ? said : `~${said.slice(1)}`));
    case "shrink":
      return snapshots.map((said, index) => (index === middle ? said.slice(0, said.length / 3) : said));
    case "repeat":
      return snapshots.flatMap((said) => [said, said]);
    case "empty-first":
      return ["", ...snapshots];
  }
}

/** Gives the last chunk, or with `bareEnd` one more, what belongs to the end. */
function endLastChunk(chunks: JsonObject[], run: RunRecord, script: RunScript): void {
  const last = script.bareEnd ? {} : chunks.pop();
  const marked = (script.end ?? "both") !== "finished";
  const finishReason = script.finishReason === undefined ? "stop" : script.finishReason;
  const usage = script.usage === undefined ? measuredUsage(run) : script.usage;
  chunks.push({
    ...last,
    status: marked ? "completed" : "running",
    ...(finishReason === null ? {} : { finish_reason: finishReason }),
    ...(usage === null ? {} : { usage }),
  });
}

function measuredUsage(run: RunRecord): JsonObject {
  const prompt = JSON.stringify(run.promptMeta["messages"] ?? []).length;
  const completion = run.text.length;
  return { prompt_tokens: prompt, completion_tokens: completion, total_tokens: prompt + completion };
}

function chunkFrame(run: RunRecord, chunk: JsonObject, script: RunScript): Frame {
  const named = script.namesExecution === false ? chunk : { executionId: run.jobId, ...chunk };
  const versioned = script.renamed ? renameMembers(named, script.renamed) : named;
  return { event: "execution:chunk", payload: [script.asText ? JSON.stringify(versioned) : versioned] };
}

function renameMembers(object: JsonObject, names: Readonly<Record<string, string>>): JsonObject {
  return Object.fromEntries(Object.entries(object).map(([name, value]) => [names[name] ?? name, value]));
}

function finishedFrame(run: RunRecord, script: RunScript): Frame {
  const bare = script.bareFinished === true || script.namesExecution === false;
  const named = { executionId: run.jobId };
  return {
    event: "completion_finished",
    payload: bare ? [] : [script.asText ? JSON.stringify(named) : named],
  };
}
