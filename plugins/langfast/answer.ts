import type { ChatEvent, FinishEvent, FinishReason } from "modelyard/plugin";
import type { RunnerEvent } from "./events.ts";
import type { Prompt } from "./request.ts";
import type { Run } from "./run.ts";
import { StreamedSnapshots, WholeSnapshot } from "./snapshot.ts";
import type { SnapshotReader } from "./snapshot.ts";
import { StopSequences } from "./stop-sequences.ts";
import { readUsage } from "./usage.ts";

/** What a run says, as the gateway's events, until the run is over or the answer is cut. Throws what it fails with. */
export async function* answerOf(run: Run, prompt: Prompt): AsyncGenerator<ChatEvent, void> {
  const text = new AnswerText(prompt);
  // What was said before the end, so that a finish reason or usage that came early isn't lost.
  let known: RunnerEvent = {};
  while (known.end === undefined && text.stopSequence === undefined) {
    const news = await run.next();
    known = { ...known, ...news };
    const added = text.next(news.content ?? "");
    if (added !== "") yield { type: "text", text: added };
  }
  const rest = text.stopSequence === undefined ? text.end() : "";
  if (rest !== "") yield { type: "text", text: rest };
  const usage = known.usage && known.end !== undefined ? readUsage(known.usage) : undefined;
  if (usage) yield { type: "usage", usage };
  yield finish(known.finishReason, text.stopSequence);
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
