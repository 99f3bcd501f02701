import type { ChatEvent } from "../contract/index.ts";
import { validateEvent } from "./validate-event.ts";
import { EventNormalizer } from "./event-normalizer.ts";

/** More events than these behind the end are no usage: the upstream goes on, and is left. */
const MAX_AFTER_END = 100;

type Batch = readonly ChatEvent[];

/** What one answer has said so far, as far as its beginning and its end depend on it. */
export class AnswerState {
  readonly #choices: number;
  readonly #tidy = new EventNormalizer();
  #hasBegun = false;
  #wasWhole = false;
  #afterEnd = 0;

  /** `choices` were asked for. */
  constructor(choices: number) {
    this.#choices = choices;
  }

  /** Something has come that is part of an answer: it can't be taken back any more. */
  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  /** Every choice that has begun has had its finish: if the source ends now, the answer is whole. */
  get hasEnded(): boolean {
    return this.#tidy.complete;
  }

  /** So has every choice that was asked for, and nothing speaks against it: only usage can follow. */
  get isWhole(): boolean {
    const { complete, finished } = this.#tidy;
    return complete && finished >= this.#choices && this.#tidy.isReliable;
  }

  /** The last events of an answer that is whole. Throws `bad-response` where one of them can't be said. */
  release(): Batch {
    this.#hasBegun = true;
    return this.#tidy.release();
  }

  /** The events as clients should see them; on a failure, those before it. */
  take(batch: Batch): { readonly events: Batch; readonly failure: Error | undefined } {
    // Nearly always all of them are good as they are, and nothing is copied.
    let events: ChatEvent[] | undefined;
    let at = 0;
    try {
      for (; at < batch.length; at++) {
        const event = batch[at] as ChatEvent;
        validateEvent(event);
        this.#hasBegun ||= commits(event);
        const clean = this.#tidy.push(event);
        if (clean !== event) events ??= batch.slice(0, at);
        if (clean && events) events.push(clean);
        if (this.#wasWhole || event.type === "finish") this.#noticeEnd();
      }
    } catch (error) {
      const failure = error instanceof Error ? error : new Error("an event can't be read", { cause: error });
      return { events: events ?? batch.slice(0, at), failure };
    }
    return { events: events ?? batch, failure: undefined };
  }

  #noticeEnd(): void {
    if (!this.isWhole) {
      this.#wasWhole = false;
      return;
    }
    // A finish without a word commits an empty answer.
    this.#hasBegun = true;
    this.#afterEnd = this.#wasWhole ? this.#afterEnd + 1 : 0;
    this.#wasWhole = true;
    if (this.#afterEnd > MAX_AFTER_END) throw new Error("the upstream goes on after its end");
  }
}

/** Whether an event is part of an answer that can't be taken back; of a finish its choices decide. */
function commits(event: ChatEvent): boolean {
  return (
    event.type !== "usage" && event.type !== "finish" && !(event.type === "extra" && event.at === "chunk")
  );
}
