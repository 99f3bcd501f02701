import { asNumber, member } from "modelyard/kit";
import type { ChatEvent, FinishEvent, FinishReason, JsonObject, Usage } from "modelyard/plugin";
import type { RunnerEvent } from "./events.ts";
import type { Prompt } from "../request/request.ts";
import type { Run } from "./run.ts";
import { StreamedSnapshots, WholeSnapshot } from "./snapshot.ts";
import type { SnapshotReader } from "./snapshot.ts";
import { StopSequences } from "./stop-sequences.ts";

/** What a run says, as the gateway's events, until the run is over or the answer is cut. */
export class Answer {
  readonly #run: Run;
  readonly #text: AnswerText;
  // What was said before the end, so that a finish reason or usage that came early isn't lost.
  #known: RunnerEvent = {};
  #isOver = false;

  constructor(run: Run, prompt: Prompt) {
    this.#run = run;
    this.#text = new AnswerText(prompt);
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** The events of what has come, of which there may be none; undefined: nothing has. Throws what the run fails with. */
  next(): readonly ChatEvent[] | undefined {
    const news = this.#run.take();
    if (!news) return undefined;
    this.#known = { ...this.#known, ...news };
    const events: ChatEvent[] = [];
    const added = this.#text.next(news.content ?? "");
    if (added !== "") events.push({ type: "text", text: added });
    if (this.#known.end !== undefined || this.#text.stopSequence !== undefined) this.#end(events);
    return events;
  }

  /** Has this called once, when something may have come. */
  onChange(changed: () => void): void {
    this.#run.onChange(changed);
  }

  #end(events: ChatEvent[]): void {
    this.#isOver = true;
    const { end, usage: told, finishReason } = this.#known;
    const rest = this.#text.stopSequence === undefined ? this.#text.end() : "";
    if (rest !== "") events.push({ type: "text", text: rest });
    const usage = told && end !== undefined ? readUsage(told) : undefined;
    if (usage) events.push({ type: "usage", usage });
    events.push(finish(finishReason, this.#text.stopSequence));
  }
}

/** An answer's text: what is new in each snapshot, up to the first stop sequence. */
class AnswerText {
  readonly #snapshots: SnapshotReader;
  readonly #stop: StopSequences;

  constructor({ isStreamed, stop }: Prompt) {
    this.#snapshots = isStreamed ? new StreamedSnapshots() : new WholeSnapshot();
    this.#stop = new StopSequences(stop);
  }

  /** The stop sequence that was found. */
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

/** The upstream's words for why an answer ended, in OpenAI's. */
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
 * Token counts in OpenAI's chat form (`prompt_tokens`, `completion_tokens`) or in its newer one (`input_tokens`,
 * `output_tokens`); undefined if there is neither.
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
    // Only this form is what OpenAI's clients understand.
    ...(asNumber(raw["prompt_tokens"]) === undefined ? {} : { raw }),
  };
}
