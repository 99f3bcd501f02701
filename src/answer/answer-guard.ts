import type { Batches, ChatEvent, NextBatch, Usage } from "../contract/index.ts";
import { UpstreamError } from "../contract/index.ts";
import { isPending } from "../runtime/reusable-deferred.ts";
import { Stage } from "../runtime/stage.ts";
import { END_OF_BATCHES } from "./batches.ts";
import { canonicalEvents } from "./canonical-events.ts";
import type { ExpectedAnswer } from "./answer-state.ts";
import { AnswerState } from "./answer-state.ts";
import { sanitizeUsage } from "./sanitize-usage.ts";

/** Limit of consecutive empty batches, so that one stream can't starve the event loop. */
const MAX_EMPTY = 1_000;

/** Limit of the batches before the first event that commits an answer. */
const MAX_BEFORE_WORD = 1_000;

/** Is notified of an answer's beginning and end. */
export interface AnswerFollower {
  /** Called when the source has sent something before the first event that commits the answer. */
  alive(): void;
  /** Called when more is waited for after every expected choice has had its finish: only usage can follow. */
  finished(): void;
  /** Called when more is waited for after all, because the answer went on behind its finish. */
  wentOn(): void;
  /** Called with a failure after the end, which costs at most the usage. */
  failedLate(error: unknown): void;
  /** Returns an upstream's own words as a client may see them: without secrets, and cut. */
  redact(words: string): string;
  /** Called once when the answer is over, complete, failed or cancelled; what it returns for a failure is thrown in its place. */
  over(failure?: unknown): unknown;
}

/**
 * Guards one upstream's answer, which ends in exactly one of two ways: it returns when each of its choices has had the
 * upstream's own terminal mark, and throws otherwise. A source that merely stops is an `UpstreamError` `truncated`; an
 * event that breaks the contract is a `TypeError`.
 *
 * `abort` ends the wait for the source at once and calls the source's `return`. The source itself may go on awaiting (a
 * generator can't be interrupted); what it gives later is dropped.
 */
export class AnswerGuard extends Stage<NextBatch, NextBatch> implements Batches {
  readonly #source: Batches;
  readonly #follower: AnswerFollower;
  readonly #progress: AnswerState;
  /** The batches up to the first event that commits the answer. */
  #beginning: (readonly ChatEvent[])[] = [];
  /** Consecutive batches without an event to deliver and without a wait between them. */
  #empty = 0;
  #waitingSince: number | undefined;
  #isFinishTold = false;
  /** Events that were held until the end, and are delivered last. */
  #last: readonly ChatEvent[] = [];
  /** Thrown once the events before it are delivered. */
  #failure: { readonly error: unknown } | undefined;
  #isOver = false;

  constructor(source: Batches, expected: ExpectedAnswer, follower: AnswerFollower) {
    super();
    this.#source = source;
    this.#follower = follower;
    this.#progress = new AnswerState(expected);
  }

  /** For how long a read of the source has been pending, in ms; 0 while none is. */
  get waiting(): number {
    return this.#waitingSince === undefined ? 0 : performance.now() - this.#waitingSince;
  }

  /** The usage that was reported before the answer began; afterwards its events are delivered. */
  get usage(): Usage {
    let usage: Usage = {};
    if (this.#progress.hasBegun) return usage;
    for (const batch of this.#beginning) {
      for (const event of canonicalEvents(batch))
        if (event.type === "usage") usage = { ...usage, ...event.usage };
    }
    return sanitizeUsage(usage);
  }

  /** Reads up to the first event that commits the answer, at once where it has arrived. Throws or rejects without one. */
  begin(): undefined | Promise<void> {
    while (!this.#progress.hasBegun) {
      const next = super.next();
      if (isPending(next)) return this.#goOnBeginning(next);
      this.#keep(next);
    }
    return undefined;
  }

  override next(): ReturnType<Stage<NextBatch, NextBatch>["next"]> {
    const first = this.#beginning.shift();
    return first ? { done: false, value: first } : super.next();
  }

  /** Leaves the answer before its end and calls the source's `return`. */
  return(): Promise<unknown> {
    if (this.#isOver) return Promise.resolve();
    this.#over();
    this.#waitingSince = undefined;
    this.resolve(END_OF_BATCHES);
    this.#leave();
    return Promise.resolve();
  }

  /** Ends the answer, and a pending read, with `reason`. */
  abort(reason: unknown): void {
    if (this.#isOver) return;
    this.#fail(reason);
    this.#waitingSince = undefined;
    if (this.#failure) this.reject(this.#failure.error);
    else if (this.isAwaited) this.resolve(this.#takeLast());
  }

  async #goOnBeginning(coming: PromiseLike<NextBatch>): Promise<void> {
    this.#keep(await coming);
    await this.begin();
  }

  #keep({ done, value }: NextBatch): void {
    if (done) throw new UpstreamError("truncated", "the upstream ended without an answer");
    if (value.length > 0) this.#beginning.push(value);
    if (this.#beginning.length < MAX_BEFORE_WORD || this.#progress.hasBegun) return;
    this.#fail(new UpstreamError("bad-response", "the upstream's answer doesn't begin"));
  }

  protected override read(): NextBatch | PromiseLike<NextBatch> {
    return this.#isOver ? END_OF_BATCHES : this.#source.next();
  }

  protected override onWait(): void {
    this.#empty = 0;
    if (this.#isFinishTold !== this.#progress.isWhole) this.#tellFinish();
    this.#waitingSince = performance.now();
  }

  #tellFinish(): void {
    this.#isFinishTold = !this.#isFinishTold;
    if (this.#isFinishTold) this.#follower.finished();
    else this.#follower.wentOn();
  }

  protected override map(next: NextBatch): NextBatch | undefined {
    const hasWaited = this.#waitingSince !== undefined;
    this.#waitingSince = undefined;
    const shown = this.#isOver ? undefined : this.#take(next);
    // Also where it is shown: a usage report commits no answer.
    if (hasWaited && !this.#isOver && !this.#progress.hasBegun) this.#follower.alive();
    if (shown) return shown;
    if (this.#failure) throw this.#failure.error;
    return this.#isOver ? this.#takeLast() : undefined;
  }

  protected override fail(error: unknown): NextBatch {
    this.#waitingSince = undefined;
    this.#fail(error);
    if (this.#failure) throw this.#failure.error;
    return this.#takeLast();
  }

  #take(next: NextBatch): NextBatch | undefined {
    if (typeof next !== "object" || next === null) {
      this.#fail(new TypeError("next() returned no iterator result"));
      return undefined;
    }
    if (next.done) {
      this.#end();
      return undefined;
    }
    const { hasBegun } = this.#progress;
    const { events, failure } = this.#progress.take(next.value);
    if (failure) this.#fail(failure);
    // An answer that begins with its finish has begun though there is nothing to show of it.
    if (events.length > 0 || (!hasBegun && this.#progress.hasBegun)) {
      this.#empty = 0;
      return { done: false, value: events };
    }
    this.#empty += 1;
    if (this.#empty > MAX_EMPTY) {
      this.#fail(new UpstreamError("bad-response", "the upstream goes on saying nothing"));
    }
    return undefined;
  }

  #takeLast(): NextBatch {
    const value = this.#last;
    this.#last = [];
    return value.length > 0 ? { done: false, value } : END_OF_BATCHES;
  }

  #end(): void {
    if (this.#progress.hasEnded) this.#finish();
    else this.#fail(truncated(this.#progress.hasBegun));
  }

  /** Ends a complete answer with the events that were held. Returns false where they are invalid. */
  #finish(): boolean {
    try {
      this.#last = this.#progress.release().map((event) => redacted(event, this.#follower));
    } catch (error) {
      this.#failure = { error: this.#over(error) };
      return false;
    }
    this.#over();
    return true;
  }

  /** Fails the answer and leaves the source. A failure of an answer that is complete is only reported. */
  #fail(error: unknown): void {
    if (this.#progress.isWhole) {
      if (this.#finish()) this.#follower.failedLate(error);
    } else {
      // `throw undefined` is a failure too.
      this.#failure = { error: this.#over(error ?? new TypeError("undefined was thrown")) };
    }
    // Last: the source may end at once, and notify us.
    this.#leave();
  }

  #over(failure?: unknown): unknown {
    this.#isOver = true;
    return this.#follower.over(failure);
  }

  /** Not awaited: it settles only when the source's own wait does. Its errors are of no use by then. */
  #leave(): void {
    Promise.try(() => this.#source.return?.()).then(undefined, () => undefined);
  }
}

/** Returns the event with the upstream's own words for the end of a choice redacted. */
function redacted(event: ChatEvent, follower: AnswerFollower): ChatEvent {
  if (event.type !== "finish" || event.native === undefined) return event;
  return { ...event, native: follower.redact(event.native) };
}

function truncated(hasBegun: boolean): UpstreamError {
  return new UpstreamError(
    "truncated",
    hasBegun ? "the upstream's answer broke off before its end" : "the upstream ended without an answer",
  );
}
