import type { SlidingSum } from "./sliding-sum.ts";

/**
 * Holds one of the concurrent requests of a key or upstream, and its reserved tokens. Disposing releases the concurrent
 * request and, unless they were settled, the tokens; a second call has no effect.
 */
export interface Permit extends Disposable {
  /** Tokens. */
  readonly reserved: number;
  /** Releases the concurrent request and keeps the tokens reserved until `settle`. */
  releaseConcurrency(): void;
  /** Replaces the reserved tokens by those used, also after disposal. Only the first call counts. */
  settle(tokens: number): void;
  /**
   * Registers the permit for leak detection: one that is collected undisposed is reclaimed and reported. Quick requests
   * go without, because registration costs more than the rest of a permit.
   */
  trackLeak(): void;
}

/** Owns the concurrent requests that permits hold. */
export interface PermitOwner {
  readonly id: string;
  /** Called when one of its concurrent requests has ended. */
  released(): void;
}

/** Holds a permit's resources outside the permit, so that they can be reclaimed after it was collected. */
export class PermitState {
  readonly owner: PermitOwner;
  readonly reserved: number;
  readonly #tokens: SlidingSum | undefined;
  readonly #entry: number;
  #isReleased = false;
  #isSettled = false;
  /** Tokens that are counted for it now. */
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

/** Implements `Permit` over a state that outlives it. */
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
