import type { Batches, ChatEvent, NextBatch, Usage } from "../contract/index.ts";
import type { Continuation } from "../runtime/reusable-deferred.ts";
import { UpstreamError } from "../contract/index.ts";
import { ReusableDeferred } from "../runtime/reusable-deferred.ts";
import { isPending, subscribeOnce } from "../runtime/reusable-deferred.ts";
import { END_OF_BATCHES } from "./batches.ts";
import { AnswerState } from "./answer-state.ts";
import { sanitizeUsage } from "./sanitize-usage.ts";

/** More empty batches than these at one moment would keep everybody else waiting. */
const MAX_EMPTY = 1_000;

/** More batches without a word than these before the first word are no answer. */
const MAX_BEFORE_WORD = 1_000;

/** Who follows an answer to its end. */
export interface AnswerFollower {
  /** Called when something came of the source before the first event that commits the answer. */
  alive(): void;
  /** Called when more is waited for after every expected choice has had its finish: only usage can follow. */
  finished(): void;
  /** Called when more is waited for after all, because the answer went on behind its finish. */
  wentOn(): void;
  /** Told of a failure that came after the end and cost at most the usage. */
  failedLate(error: unknown): void;
  /** Told once when the answer is over, well or left; what it makes of a failure is thrown in its place. */
  over(failure?: unknown): unknown;
}

/**
 * One upstream's answer, which ends in exactly one of two ways: it returns when each of its choices has had the
 * upstream's own terminal mark, and throws otherwise. A source that merely stops is an UpstreamError `truncated`; an
 * event that is none in the contract's sense is a TypeError.
 *
 * The wait for the source ends the moment it is aborted, and the source is told to return. The source itself may go
 * on awaiting (a generator can't be interrupted), but nobody waits for it any more.
 *
 * Each batch of each stream comes this way: hence one object for all of this, and no promise.
 */
export class AnswerGuard implements Batches, Continuation<NextBatch> {
  readonly #source: Batches;
  readonly #follower: AnswerFollower;
  readonly #progress: AnswerState;
  /** What came before the first word, and with it. */
  #beginning: (readonly ChatEvent[])[] = [];
  readonly #later = new ReusableDeferred<NextBatch>();
  #isAwaited = false;
  #waitingSince: number | undefined;
  #isFinishTold = false;
  /** What was held until the end, and goes out last. */
  #last: readonly ChatEvent[] = [];
  /** What is thrown once the events before it are delivered. */
  #failure: { readonly error: unknown } | undefined;
  #isOver = false;

  /** `choices` answers were asked for. */
  constructor(source: Batches, choices: number, follower: AnswerFollower) {
    this.#source = source;
    this.#follower = follower;
    this.#progress = new AnswerState(choices);
  }

  /** How long the source has been keeping us waiting, in ms; 0 while it is the reader who takes his time. */
  get waiting(): number {
    return this.#waitingSince === undefined ? 0 : performance.now() - this.#waitingSince;
  }

  /** What the source has told of its usage, as long as the answer hasn't begun; afterwards its events tell so. */
  get told(): Usage {
    let told: Usage = {};
    if (this.#progress.hasBegun) return told;
    for (const batch of this.#beginning) {
      for (const event of batch) if (event.type === "usage") told = { ...told, ...event.usage };
    }
    return sanitizeUsage(told);
  }

  /**
   * Reads until an event has come that commits the answer: at once where it is there already. Throws or rejects
   * where none comes.
   */
  begin(): undefined | Promise<void> {
    while (!this.#progress.hasBegun) {
      const next = this.#read();
      if (next instanceof ReusableDeferred) return this.#goOnBeginning(next);
      this.#keep(next);
    }
    return undefined;
  }

  next(): NextBatch | ReusableDeferred<NextBatch> {
    const first = this.#beginning.shift();
    return first ? { done: false, value: first } : this.#read();
  }

  /** Whoever leaves before the end lets the source clean up. */
  return(): Promise<unknown> {
    if (this.#isOver) return Promise.resolve();
    this.#over();
    this.#settle(END_OF_BATCHES);
    this.#leave();
    return Promise.resolve();
  }

  /** Nobody is to wait for the source any more, for this reason. */
  abort(reason: unknown): void {
    if (this.#isOver) return;
    this.#fail(reason);
    if (this.#failure) this.#reject(this.#failure.error);
    else if (this.#isAwaited) this.#settle(this.#takeLast());
  }

  async #goOnBeginning(coming: ReusableDeferred<NextBatch>): Promise<void> {
    this.#keep(await coming);
    await this.begin();
  }

  #keep({ done, value }: NextBatch): void {
    if (done) throw new UpstreamError("truncated", "the upstream ended without an answer");
    if (value.length > 0) this.#beginning.push(value);
    if (this.#beginning.length < MAX_BEFORE_WORD || this.#progress.hasBegun) return;
    this.#fail(new UpstreamError("bad-response", "the upstream's answer doesn't begin"));
  }

  #read(): NextBatch | ReusableDeferred<NextBatch> {
    for (let empty = 0; ; empty++) {
      if (empty > MAX_EMPTY)
        this.#fail(new UpstreamError("bad-response", "the upstream goes on saying nothing"));
      if (this.#failure) throw this.#failure.error;
      if (this.#isOver) return this.#takeLast();
      const came = this.#ask();
      if (isPending(came)) return this.#wait(came);
      const shown = this.#take(came);
      if (shown) return shown;
    }
  }

  /** What the source says next; a source that throws at once fails like any other. */
  #ask(): NextBatch | PromiseLike<NextBatch> {
    try {
      return this.#source.next();
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #wait(coming: PromiseLike<NextBatch>): ReusableDeferred<NextBatch> {
    if (this.#isFinishTold !== this.#progress.isWhole) this.#tellFinish();
    this.#waitingSince = performance.now();
    this.#isAwaited = true;
    subscribeOnce(coming, this);
    return this.#later;
  }

  #tellFinish(): void {
    this.#isFinishTold = !this.#isFinishTold;
    if (this.#isFinishTold) this.#follower.finished();
    else this.#follower.wentOn();
  }

  /** Of the source. */
  onValue(came: NextBatch): void {
    if (this.#isOver) return;
    this.#waitingSince = undefined;
    let next: NextBatch | ReusableDeferred<NextBatch>;
    try {
      next = this.#take(came) ?? this.#read();
    } catch (error) {
      return this.#reject(error);
    }
    if (!this.#progress.hasBegun) this.#follower.alive();
    // Else the same wait goes on.
    if (!(next instanceof ReusableDeferred)) this.#settle(next);
  }

  /** Of the source. */
  onError(error: unknown): void {
    this.abort(error);
  }

  #settle(next: NextBatch): void {
    if (this.#endWait()) this.#later.resolve(next);
  }

  #reject(error: unknown): void {
    if (this.#endWait()) this.#later.reject(error);
  }

  /** Whether somebody has been waiting. */
  #endWait(): boolean {
    const wasAwaited = this.#isAwaited;
    this.#isAwaited = false;
    this.#waitingSince = undefined;
    return wasAwaited;
  }

  /** What the reader gets of what came; undefined where that is nothing. Throws the failure that it is. */
  #take(came: NextBatch): NextBatch | undefined {
    if (typeof came !== "object" || came === null) {
      this.#fail(new TypeError("what came from next() is no iterator result"));
    } else if (came.done) this.#end();
    else {
      const { hasBegun } = this.#progress;
      const { events, failure } = this.#progress.take(came.value);
      if (failure) this.#fail(failure);
      // An answer that begins with its finish has begun though there is nothing to show of it.
      if (events.length > 0 || (!hasBegun && this.#progress.hasBegun)) return { done: false, value: events };
    }
    if (this.#failure) throw this.#failure.error;
    return this.#isOver ? this.#takeLast() : undefined;
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

  /** The answer is whole: what was held goes out last. Returns false where it can't. */
  #finish(): boolean {
    try {
      this.#last = this.#progress.release();
    } catch (error) {
      this.#failure = { error: this.#over(error) };
      return false;
    }
    this.#over();
    return true;
  }

  /** The source is left. What it failed with is thrown to whoever reads on, unless the answer is there already. */
  #fail(error: unknown): void {
    if (this.#progress.isWhole) {
      if (this.#finish()) this.#follower.failedLate(error);
    } else {
      // Whoever throws nothing has failed all the same.
      this.#failure = { error: this.#over(error ?? new TypeError("undefined was thrown")) };
    }
    // Last: the source may end at once, and tell so.
    this.#leave();
  }

  #over(failure?: unknown): unknown {
    this.#isOver = true;
    return this.#follower.over(failure);
  }

  /** Not awaited: it settles only when the source's own wait does. Its errors interest nobody now. */
  #leave(): void {
    Promise.try(() => this.#source.return?.()).then(undefined, () => undefined);
  }
}

function truncated(hasBegun: boolean): UpstreamError {
  return new UpstreamError(
    "truncated",
    hasBegun ? "the upstream's answer broke off before its end" : "the upstream ended without an answer",
  );
}
