import type { CanonicalEvent, ChatEvent, NativeEvent } from "../contract/index.ts";
import { validateEvent } from "./validate-event.ts";
import { EventNormalizer } from "./event-normalizer.ts";

/** More events than these behind the end are no usage: the upstream goes on, and is left. */
const MAX_AFTER_END = 100;

type Batch = readonly ChatEvent[];

/** What an answer should be. */
export interface ExpectedAnswer {
  /** How many answers were asked for. */
  readonly choices: number;
  /** Whether the upstream may give frames of the client's own API. */
  readonly mayBeNative: boolean;
}

/** What one answer has said so far, as far as its beginning and its end depend on it. */
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
    return complete && finished >= this.#expected.choices && this.#tidy.isReliable;
  }

  /** The last events of an answer that is whole. Throws `bad-response` where one of them can't be said. */
  release(): Batch {
    this.#hasBegun = true;
    const released = this.#tidy.release();
    const last = this.#held.pop();
    return last ? [...this.#held, { ...last, events: [...last.events, ...released] }] : released;
  }

  /** The events as clients should see them; on a failure, those before it. */
  take(batch: Batch): { readonly events: Batch; readonly failure: Error | undefined } {
    // Nearly always all of them are good as they are, and nothing is copied.
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

/** Whether an event is part of an answer that can't be taken back; of a finish its choices decide. */
function commits(event: CanonicalEvent): boolean {
  return (
    event.type !== "usage" && event.type !== "finish" && !(event.type === "extra" && event.at === "chunk")
  );
}
