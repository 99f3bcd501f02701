import type { SlidingSum } from "./sliding-sum.ts";

/**
 * The right to be answered: it holds one of the concurrent requests and the reserved tokens. `dispose` gives
 * back the first and, if nothing was settled, the second; twice does no harm.
 */
export interface Permit extends Disposable {
  /** Tokens. */
  readonly reserved: number;
  /** Gives back the concurrent request alone: how many tokens it used is still to be told by `settle`. */
  releaseConcurrency(): void;
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
  released(): void;
}

/** What a slot holds, apart from the slot itself, so that it can be freed when that is gone. */
export class PermitState {
  readonly owner: PermitOwner;
  readonly reserved: number;
  readonly #tokens: SlidingSum | undefined;
  readonly #entry: number;
  #isReleased = false;
  #isSettled = false;
  /** What of it counts now, in tokens. */
  #counted: number;

  constructor(
    owner: PermitOwner,
    sum: SlidingSum | undefined,
    { tokens, now }: { tokens: number; now: number },
  ) {
    this.owner = owner;
    this.reserved = sum ? tokens : 0;
    this.#tokens = sum;
    this.#counted = this.reserved;
    this.#entry = sum ? sum.add(tokens, now) : 0;
  }

  settle(tokens: number): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    this.#count(Math.max(0, tokens));
  }

  release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.owner.released();
  }

  free(): void {
    this.release();
    if (!this.#isSettled) this.#count(0);
  }

  #count(tokens: number): void {
    this.#tokens?.change(this.#entry, tokens - this.#counted);
    this.#counted = tokens;
  }
}

export class LimitPermit implements Permit {
  readonly #state: PermitState;
  readonly #registry: FinalizationRegistry<PermitState>;
  #isTracked = false;

  constructor(state: PermitState, registry: FinalizationRegistry<PermitState>) {
    this.#state = state;
    this.#registry = registry;
  }

  get reserved(): number {
    return this.#state.reserved;
  }

  settle(tokens: number): void {
    this.#state.settle(tokens);
  }

  releaseConcurrency(): void {
    this.#state.release();
  }

  trackLeak(): void {
    if (this.#isTracked) return;
    this.#isTracked = true;
    this.#registry.register(this, this.#state, this.#state);
  }

  [Symbol.dispose](): void {
    if (this.#isTracked) this.#registry.unregister(this.#state);
    this.#state.free();
  }
}
