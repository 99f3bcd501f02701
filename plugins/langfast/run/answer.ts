import { asNumber, member } from "modelyard/kit";
import type { ChatEvent, FinishEvent, FinishReason, JsonObject, Usage } from "modelyard/plugin";
import type { RunnerEvent } from "./events.ts";
import type { Prompt } from "../request/request.ts";
import type { Run } from "./run.ts";
import { StreamedSnapshots, WholeSnapshot } from "./snapshot.ts";
import type { SnapshotReader } from "./snapshot.ts";
import { StopSequences } from "./stop-sequences.ts";

/** Turns a run's events into the gateway's, until the run ends or a stop sequence is found. */
export class AnswerReader {
  readonly #run: Run;
  readonly #text: AnswerText;
  // All members so far: a finish reason or usage may arrive before the end.
  #latest: RunnerEvent = {};
  #isOver = false;

  constructor(run: Run, prompt: Prompt) {
    this.#run = run;
    this.#text = new AnswerText(prompt);
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Returns the next events, possibly none; undefined if nothing has arrived. Throws the run's error. */
  next(): readonly ChatEvent[] | undefined {
    const update = this.#run.take();
    if (!update) return undefined;
    this.#latest = { ...this.#latest, ...update };
    const events: ChatEvent[] = [];
    const added = this.#text.next(update.content ?? "");
    if (added !== "") events.push({ type: "text", text: added });
    if (this.#latest.end !== undefined || this.#text.stopSequence !== undefined) this.#end(events);
    return events;
  }

  /** Calls `listener` once, when something may have arrived. */
  onChange(listener: () => void): void {
    this.#run.onChange(listener);
  }

  #end(events: ChatEvent[]): void {
    this.#isOver = true;
    const { end, usage: raw, finishReason } = this.#latest;
    const rest = this.#text.stopSequence === undefined ? this.#text.end() : "";
    if (rest !== "") events.push({ type: "text", text: rest });
    const usage = raw && end !== undefined ? readUsage(raw) : undefined;
    if (usage) events.push({ type: "usage", usage });
    events.push(finish(finishReason, this.#text.stopSequence));
  }
}

/** Returns the new text of each snapshot, up to the first stop sequence. */
class AnswerText {
  readonly #snapshots: SnapshotReader;
  readonly #stop: StopSequences;

  constructor({ isStreamed, stop }: Prompt) {
    this.#snapshots = isStreamed ? new StreamedSnapshots() : new WholeSnapshot();
    this.#stop = new StopSequences(stop);
  }

  /** The stop sequence that was found, if any. */
  get stopSequence(): string | undefined {
    return this.#stop.found;
  }

  next(snapshot: string): string {
    return this.#stop.push(this.#snapshots.next(snapshot));
  }

  end(): string {
    return this.#stop.push(this.#snapshots.end()) + this.#stop.end();
  }
}

/** The service's finish reasons and OpenAI's. */
const REASONS: ReadonlyMap<string, FinishReason> = new Map<string, FinishReason>([
  ["stop", "stop"],
  ["length", "length"],
  ["max_tokens", "length"],
  ["max_output_tokens", "length"],
  ["content_filter", "content_filter"],
]);

function finish(native: string | undefined, stopSequence: string | undefined): FinishEvent {
  if (stopSequence !== undefined) return { type: "finish", reason: "stop", stopSequence };
  const reason = REASONS.get(native ?? "stop") ?? "stop";
  return { type: "finish", reason, ...(native === undefined || native === reason ? {} : { native }) };
}

/**
 * Reads token counts in the form of OpenAI's chat API (`prompt_tokens`, `completion_tokens`) or its responses API
 * (`input_tokens`, `output_tokens`). Returns undefined if there are neither.
 */
export function readUsage(raw: JsonObject): Usage | undefined {
  const input = asNumber(raw["prompt_tokens"]) ?? asNumber(raw["input_tokens"]);
  const output = asNumber(raw["completion_tokens"]) ?? asNumber(raw["output_tokens"]);
  if (input === undefined && output === undefined) return undefined;
  const inputDetails = raw["prompt_tokens_details"] ?? raw["input_tokens_details"];
  const outputDetails = raw["completion_tokens_details"] ?? raw["output_tokens_details"];
  const cachedInput = asNumber(member(inputDetails, "cached_tokens"));
  const reasoning = asNumber(member(outputDetails, "reasoning_tokens"));
  return {
    ...(input === undefined ? {} : { input }),
    ...(output === undefined ? {} : { output }),
    ...(cachedInput === undefined ? {} : { cachedInput }),
    ...(reasoning === undefined ? {} : { reasoning }),
    // Clients of the chat API understand only this form.
    ...(asNumber(raw["prompt_tokens"]) === undefined ? {} : { raw }),
  };
}
