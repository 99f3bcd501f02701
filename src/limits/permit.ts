import type { SlidingSum } from "./sliding-sum.ts";

/**
 * The right to be answered: it holds one of the concurrent requests and the reserved tokens. `dispose` gives
 * back the first and, if nothing was settled, the second; twice does no harm.
 */
export interface Permit extends Disposable {
  /** Tokens. */
  readonly reserved: number;
  /** Gives back the concurrent request alone: how many tokens it used is still to be told by `settle`. */
  leave(): void;
  /** Replaces what was reserved by what was used; also after `dispose`. Only the first call counts. */
  settle(tokens: number): void;
  /**
   * From now on it is freed, and told, when it was forgotten undisposed. Not from its beginning: that costs a quick
   * request more than all else of a slot.
   */
  trackLeak(): void;
}

/** Whose places slots are. */
export interface PermitOwner {
  readonly id: string;
  /** One of its concurrent requests is over. */
  leave(): void;
}

/** What a slot holds, apart from the slot itself, so that it can be freed when that is gone. */
export class PermitState {
  readonly subject: PermitOwner;
  readonly reserved: number;
  readonly #tokens: SlidingSum | undefined;
  readonly #entry: number;
  #hasLeft = false;
  #isSettled = false;
  /** What of it counts now, in tokens. */
  #counted: number;

  constructor(
    subject: PermitOwner,
    log: SlidingSum | undefined,
    { tokens, now }: { tokens: number; now: number },
  ) {
    this.subject = subject;
    this.reserved = log ? tokens : 0;
    this.#tokens = log;
    this.#counted = this.reserved;
    this.#entry = log ? log.add(tokens, now) : 0;
  }

  settle(tokens: number): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    this.#count(Math.max(0, tokens));
  }

  leave(): void {
    if (this.#hasLeft) return;
    this.#hasLeft = true;
    this.subject.leave();
  }

  free(): void {
    this.leave();
    if (!this.#isSettled) this.#count(0);
  }

  #count(tokens: number): void {
    this.#tokens?.change(this.#entry, tokens - this.#counted);
    this.#counted = tokens;
  }
}

export class TakenPermit implements Permit {
  readonly #taken: PermitState;
  readonly #forgotten: FinalizationRegistry<PermitState>;
  #isGuarded = false;

  constructor(taken: PermitState, forgotten: FinalizationRegistry<PermitState>) {
    this.#taken = taken;
    this.#forgotten = forgotten;
  }

  get reserved(): number {
    return this.#taken.reserved;
  }

  settle(tokens: number): void {
    this.#taken.settle(tokens);
  }

  leave(): void {
    this.#taken.leave();
  }

  trackLeak(): void {
    if (this.#isGuarded) return;
    this.#isGuarded = true;
    this.#forgotten.register(this, this.#taken, this.#taken);
  }

  [Symbol.dispose](): void {
    if (this.#isGuarded) this.#forgotten.unregister(this.#taken);
    this.#taken.free();
  }
}
