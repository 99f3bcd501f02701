import type { CanonicalEvent, ChatEvent, NativeEvent } from "../contract/index.ts";
import { validateEvent } from "./validate-event.ts";
import { EventNormalizer } from "./event-normalizer.ts";

/** Limit of the events after the end of an answer; more can't be usage. */
const MAX_AFTER_END = 100;

type Batch = readonly ChatEvent[];

/** What an answer should be. */
export interface ExpectedAnswer {
  /** The number of choices that were requested. */
  readonly choices: number;
  /** Whether an answer with fewer of them is incomplete; servers that don't know `n` give one. */
  readonly needsAll?: boolean;
  /** Whether the upstream may give frames of the client's own API. */
  readonly mayBeNative: boolean;
}

/** Tracks the beginning and the end of one answer. */
export class AnswerState {
  readonly #expected: ExpectedAnswer;
  readonly #tidy = new EventNormalizer();
  #hasBegun = false;
  #wasWhole = false;
  #afterEnd = 0;
  /** The frames from the one on that has a finish in it: they go out with that. */
  #held: NativeEvent[] = [];

  constructor(expected: ExpectedAnswer) {
    this.#expected = expected;
  }

  /** True once an event has committed the answer. */
  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  /** True if every choice that has begun has its finish: the answer is complete if the source ends now. */
  get hasEnded(): boolean {
    const { choices, needsAll } = this.#expected;
    return this.#tidy.complete && (needsAll !== true || this.#tidy.finished >= choices);
  }

  /** True if every requested choice has a reliable finish: only usage can follow. */
  get isWhole(): boolean {
    const { complete, finished } = this.#tidy;
    return complete && finished >= this.#expected.choices && this.#tidy.isReliable;
  }

  /** Returns the last events of a complete answer. Throws `bad-response` where one of them is invalid. */
  release(): Batch {
    this.#hasBegun = true;
    const released = this.#tidy.release();
    const last = this.#held.pop();
    return last ? [...this.#held, { ...last, events: [...last.events, ...released] }] : released;
  }

  /** Returns the events as clients should see them; on a failure, those before it. */
  take(batch: Batch): { readonly events: Batch; readonly failure: Error | undefined } {
    // Nearly always all events stay as they are, and nothing is copied.
    let events: ChatEvent[] | undefined;
    let at = 0;
    try {
      for (; at < batch.length; at++) {
        const event = batch[at] as ChatEvent;
        validateEvent(event, this.#expected.mayBeNative);
        const clean = event.type === "native" ? this.#takeFrame(event) : this.#takeEvent(event);
        if (clean !== event) events ??= batch.slice(0, at);
        if (clean && events) events.push(clean);
      }
    } catch (error) {
      const failure = error instanceof Error ? error : new Error("an event can't be read", { cause: error });
      return { events: events ?? batch.slice(0, at), failure };
    }
    return { events: events ?? batch, failure: undefined };
  }

  #takeEvent(event: CanonicalEvent): CanonicalEvent | undefined {
    this.#hasBegun ||= commits(event);
    const clean = this.#tidy.push(event);
    if (this.#wasWhole || event.type === "finish") this.#noticeEnd();
    return clean;
  }

  /** Returns the frame if all that it stands for can go out now. */
  #takeFrame(frame: NativeEvent): NativeEvent | undefined {
    let mustWait = this.#held.length > 0;
    let events: CanonicalEvent[] | undefined;
    for (let at = 0; at < frame.events.length; at++) {
      const event = frame.events[at] as CanonicalEvent;
      const clean = this.#takeEvent(event);
      mustWait ||= event.type === "finish";
      if (clean !== event) events ??= frame.events.slice(0, at);
      if (clean && events) events.push(clean);
    }
    const clean = events ? { ...frame, events } : frame;
    if (!mustWait) return clean;
    this.#held.push(clean);
    if (this.#held.length > MAX_AFTER_END) throw new Error("the upstream goes on after its end");
    return undefined;
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

/** Returns whether an event commits an answer; for a finish its choices decide. */
function commits(event: CanonicalEvent): boolean {
  return (
    event.type !== "usage" && event.type !== "finish" && !(event.type === "extra" && event.at === "chunk")
  );
}
