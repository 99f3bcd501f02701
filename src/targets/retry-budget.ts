import { SlidingCount } from "../limits/sliding-count.ts";

const WINDOW_MS = 10_000;
/** So many extra calls are always allowed, so that an idle gateway retries, too. */
const MIN_EXTRA_CALLS = 3;

/** Bounds the extra calls to one upstream to a share of its calls, so that retries never become a storm. */
export class RetryBudget {
  readonly #share: number;
  readonly #calls = new SlidingCount(WINDOW_MS);
  readonly #extra = new SlidingCount(WINDOW_MS);

  /** `share` 0.2 allows one extra call for every five. */
  constructor(share: number) {
    this.#share = share;
  }

  /** A first try was sent there. */
  recordCall(now: number): void {
    this.#calls.add(now);
  }

  /** Takes one extra call if there is one to be had. */
  take(now: number): boolean {
    const allowed = Math.max(MIN_EXTRA_CALLS, this.#share * this.#calls.total(now));
    if (this.#extra.total(now) >= allowed) return false;
    this.#extra.add(now);
    return true;
  }
}
