import { SlidingCount } from "../limits/sliding-count.ts";

const WINDOW_MS = 10_000;
/** Extra calls that are always allowed, so that an idle gateway retries, too. */
const MIN_EXTRA_CALLS = 3;

/** Bounds the retries at one upstream to a share of its calls, against retry storms. */
export class RetryBudget {
  readonly #share: number;
  readonly #calls = new SlidingCount(WINDOW_MS);
  readonly #extra = new SlidingCount(WINDOW_MS);

  /** A `share` of 0.2 allows one retry for every five calls. */
  constructor(share: number) {
    this.#share = share;
  }

  /** Counts a first attempt. */
  recordCall(now: number): void {
    this.#calls.add(now);
  }

  /** Takes one retry; returns false if the budget is exhausted. */
  take(now: number): boolean {
    const allowed = Math.max(MIN_EXTRA_CALLS, this.#share * this.#calls.total(now));
    if (this.#extra.total(now) >= allowed) return false;
    this.#extra.add(now);
    return true;
  }
}
