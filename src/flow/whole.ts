import type { ChatEvent } from "../contract/index.ts";
import { UpstreamError } from "../contract/index.ts";
import { checkEvent } from "./check-event.ts";
import { Tidy } from "./tidy.ts";

/** More events than these behind the end are no usage: the upstream goes on, and is left. */
const MAX_AFTER_END = 100;

export interface WholeOptions {
  /** How many choices the client asked for. */
  readonly choices: number;
  /** Told once when every expected choice has had its finish: only usage can still follow. */
  readonly finished: () => void;
  /** Told of a failure that came after the end and cost at most the usage. */
  readonly late: (error: unknown) => void;
}

/**
 * Lets an answer end in exactly one of two ways: it returns when each of its choices has had the upstream's
 * own terminal mark, and throws otherwise. A source that merely stops is an UpstreamError `truncated`; an event
 * that is none in the contract's sense is a TypeError.
 */
export async function* whole(
  source: AsyncIterable<readonly ChatEvent[]>,
  options: WholeOptions,
): AsyncGenerator<readonly ChatEvent[]> {
  const answer = new Answer(options);
  try {
    for await (const batch of source) {
      const { events, failure } = answer.take(batch);
      if (events.length > 0) yield events;
      if (failure) throw failure;
    }
  } catch (error) {
    if (!answer.isWhole) throw error;
    options.late(error);
    return;
  }
  if (!answer.hasEnded)
    throw new UpstreamError("truncated", "the upstream's answer broke off before its end");
}

/** What one answer has said so far, as far as its end depends on it. */
class Answer {
  readonly #options: WholeOptions;
  readonly #tidy = new Tidy();
  #told = false;
  #afterEnd = 0;

  constructor(options: WholeOptions) {
    this.#options = options;
  }

  /** Every choice that has begun has ended. */
  get hasEnded(): boolean {
    return this.#tidy.complete;
  }

  /** So has every choice that was asked for. */
  get isWhole(): boolean {
    return this.#tidy.complete && this.#tidy.finished >= this.#options.choices;
  }

  /** The events as clients should see them; on a failure, those before it. */
  take(batch: readonly ChatEvent[]): { events: ChatEvent[]; failure: Error | undefined } {
    const events: ChatEvent[] = [];
    try {
      for (const event of batch) {
        checkEvent(event);
        const clean = this.#tidy.push(event);
        if (clean) events.push(clean);
        this.#noticeEnd();
      }
    } catch (error) {
      return { events, failure: error instanceof Error ? error : new Error(String(error)) };
    }
    return { events, failure: undefined };
  }

  #noticeEnd(): void {
    if (this.#told) {
      if (this.hasEnded) this.#afterEnd += 1;
      if (this.#afterEnd > MAX_AFTER_END) throw new Error("the upstream goes on after its end");
    } else if (this.isWhole) {
      this.#told = true;
      this.#options.finished();
    }
  }
}
