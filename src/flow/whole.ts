import type { ChatEvent } from "../contract/index.ts";
import { UpstreamError } from "../contract/index.ts";
import { checkEvent } from "./check-event.ts";
import type { Peeked } from "./peek.ts";
import { Tidy } from "./tidy.ts";

/** More events than these behind the end are no usage: the upstream goes on, and is left. */
const MAX_AFTER_END = 100;

type Batch = readonly ChatEvent[];

export interface WholeOptions {
  /** How many choices the client asked for. */
  readonly choices: number;
  /** Told once when every expected choice has had its finish: only usage can still follow. */
  readonly finished: () => void;
  /** Told of a failure that came after the end and cost at most the usage. */
  readonly late: (error: unknown) => void;
  /** Told once when the answer is over, well or left; what it makes of a failure is thrown in its place. */
  readonly ended: (failure?: unknown) => unknown;
}

/**
 * Lets an answer end in exactly one of two ways: it returns when each of its choices has had the upstream's
 * own terminal mark, and throws otherwise. A source that merely stops is an UpstreamError `truncated`; an event
 * that is none in the contract's sense is a TypeError. An iterator and not a generator, because each batch of
 * each stream comes this way, and a generator costs several promises for it.
 */
export function whole(peeked: Peeked<Batch>, options: WholeOptions): AsyncIterableIterator<Batch> {
  return new WholeAnswer(peeked, options);
}

class WholeAnswer implements AsyncIterableIterator<Batch> {
  readonly #head: readonly Batch[];
  readonly #rest: AsyncIterator<Batch>;
  readonly #options: WholeOptions;
  readonly #progress: Progress;
  #taken = 0;
  /** What is thrown once the events before it are delivered. */
  #failure: Error | undefined;
  #isOver = false;

  constructor({ head, rest }: Peeked<Batch>, options: WholeOptions) {
    this.#head = head;
    this.#rest = rest;
    this.#options = options;
    this.#progress = new Progress(options);
  }

  async next(): Promise<IteratorResult<Batch>> {
    try {
      while (!this.#isOver) {
        if (this.#failure) throw this.#failure;
        const batch = this.#head[this.#taken++] ?? (await this.#read());
        if (!batch) return this.#end();
        const { events, failure } = this.#progress.take(batch);
        this.#failure = failure;
        if (events.length > 0) return { done: false, value: events };
      }
    } catch (error) {
      this.#fail(error);
    }
    return { done: true, value: undefined };
  }

  /** Whoever leaves before the end lets the source clean up. */
  async return(): Promise<IteratorResult<Batch>> {
    this.#over();
    await this.#rest.return?.();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async #read(): Promise<Batch | undefined> {
    const next = await this.#rest.next();
    return next.done ? undefined : next.value;
  }

  #end(): IteratorResult<Batch> {
    if (!this.#progress.hasEnded)
      throw new UpstreamError("truncated", "the upstream's answer broke off before its end");
    this.#over();
    return { done: true, value: undefined };
  }

  #fail(error: unknown): void {
    if (this.#isOver) return;
    this.#rest.return?.().then(undefined, () => undefined);
    // Whoever throws nothing has failed all the same.
    if (!this.#progress.isWhole) throw this.#over(error ?? new TypeError("undefined was thrown"));
    this.#options.late(error);
    this.#over();
  }

  #over(failure?: unknown): unknown {
    if (this.#isOver) return failure;
    this.#isOver = true;
    return this.#options.ended(failure);
  }
}

/** What one answer has said so far, as far as its end depends on it. */
class Progress {
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
  take(batch: Batch): { readonly events: Batch; readonly failure: Error | undefined } {
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
