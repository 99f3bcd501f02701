import type { Batches, NextBatch } from "../contract/index.ts";
import { Stage } from "../runtime/stage.ts";
import type { OpenUpstream } from "../targets/open-upstream.ts";
import type { LimitRefusal, Permit, RateLimiter } from "../limits/rate-limiter.ts";
import type { RequestEstimate } from "../usage/token-estimate.ts";
import { UsageObserver } from "../usage/usage-observer.ts";
import { TokenTally, clampEstimate } from "../usage/token-estimate.ts";

/** Returns a permit of an upstream's limits, or a refusal; undefined if it has no limits. */
export function takeUpstreamPermit(
  { id, limits }: OpenUpstream,
  needed: () => RequestEstimate,
  limiter: RateLimiter,
): Permit | LimitRefusal | undefined {
  if (!limits) return undefined;
  const { tokens_per_minute: limit } = limits;
  const { input, output } = limit === undefined ? NOTHING : clampEstimate(limit, needed());
  const permit = limiter.admit({ id, limits }, input + output);
  if (!("limit" in permit)) permit.trackLeak();
  return permit;
}

const NOTHING = { input: 0, output: 0 };

/** Returns the events unchanged; at their end settles the permit with the reported or counted tokens. */
export function settling(events: Batches, permit: Permit, { input: estimated }: RequestEstimate): Batches {
  return new SettlingStage(events, permit, estimated);
}

class SettlingStage extends Stage<NextBatch, NextBatch> implements Batches {
  readonly #events: Batches;
  readonly #permit: Permit;
  readonly #estimated: number;
  readonly #counted = new TokenTally();
  readonly #usage = new UsageObserver(this.#counted);

  constructor(events: Batches, permit: Permit, estimated: number) {
    super();
    this.#events = events;
    this.#permit = permit;
    this.#estimated = estimated;
  }

  async return(): Promise<unknown> {
    this.#settle();
    return this.#events.return?.();
  }

  protected override read(): NextBatch | PromiseLike<NextBatch> {
    return this.#events.next();
  }

  protected override map(next: NextBatch): NextBatch {
    if (next.done) this.#settle(true);
    else this.#usage.observe(next.value);
    return next;
  }

  protected override fail(error: unknown): never {
    this.#settle();
    throw error;
  }

  #settle(isComplete = false): void {
    const { input = this.#estimated, output } = this.#usage.reported;
    const counted = this.#counted.tokens;
    // If an answer broke off, the reported output may be outdated.
    this.#permit.settle(input + (isComplete ? (output ?? counted) : Math.max(output ?? 0, counted)));
  }
}
