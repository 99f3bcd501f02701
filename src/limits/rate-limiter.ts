import type { LimitSettings } from "../../config/settings.ts";
import { SlidingSum } from "./sliding-sum.ts";
import type { Permit } from "./permit.ts";
import { PermitState, LimitPermit } from "./permit.ts";

export type { Permit } from "./permit.ts";

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
/** Wait reported when the concurrent requests are exhausted: their ends can't be foreseen. */
const CONCURRENT_RETRY_MS = 1000;
/** Number of subjects from which idle ones are swept. */
const FEW_SUBJECTS = 64;

/** Identifies a key or an upstream with its limits. */
export interface Limited {
  /** Unique within this limiter, as `key alice` or `upstream openai`. */
  readonly id: string;
  readonly limits: LimitSettings;
}

/** States which limit a request would exceed, and when to retry. */
export interface LimitRefusal {
  readonly limit: keyof LimitSettings;
  /** The limit's value. */
  readonly of: number;
  /** Milliseconds after which a lone request would be admitted; undefined: never, it asks for more than the limit. */
  readonly retryAfterMs: number | undefined;
}

/** States what is left of one kind of limit; of two limits, that of the one nearest to exhaustion. */
export interface Allowance {
  readonly limit: number;
  readonly remaining: number;
  /** Milliseconds until the limit is fully available again without further requests. */
  readonly resetMs: number;
}

/** States what is left of a subject's limits; undefined for kinds without a limit. */
export interface Standing {
  readonly requests: Allowance | undefined;
  readonly tokens: Allowance | undefined;
}

export interface RateLimiterOptions {
  /** Milliseconds that never go back; `performance.now` by default. */
  readonly now?: () => number;
  /** Called with the subject's id when a leaked permit was reclaimed. */
  readonly onLeak?: (id: string) => void;
}

/**
 * Admits requests within the limits of keys and upstreams. Windows slide: no 60 s or 24 h, the last instant excluded, have
 * more admissions than the limit. Limits come with each request, so that changes apply at once.
 */
export class RateLimiter {
  readonly #now: () => number;
  readonly #subjects = new Map<string, Subject>();
  #sweepAt = FEW_SUBJECTS;
  readonly #registry: FinalizationRegistry<PermitState>;

  constructor({ now = () => performance.now(), onLeak }: RateLimiterOptions = {}) {
    this.#now = now;
    this.#registry = new FinalizationRegistry((state) => {
      state.free();
      onLeak?.(state.owner.id);
    });
  }

  /** Number of subjects with recent requests. */
  get size(): number {
    return this.#subjects.size;
  }

  /** Number of permits that hold a concurrent request. Takes time in proportion to `size`. */
  get running(): number {
    return this.#subjects.values().reduce((sum, { running }) => sum + running, 0);
  }

  /**
   * Returns a permit for a request that may need `tokens`, a whole number, or a refusal (it has `limit`), which consumes
   * nothing. Of several exceeded limits the refusal names the one with the longest wait.
   */
  admit(limited: Limited, tokens: number): Permit | LimitRefusal {
    const now = this.#now();
    const subject = this.#subject(limited.id, now);
    const refusal = subject.refusal(limited.limits, tokens, now);
    if (refusal) return refusal;
    return new LimitPermit(subject.take(limited.limits, tokens, now), this.#registry);
  }

  /** Returns what is left of a subject's limits. */
  standing({ id, limits }: Limited): Standing {
    return (this.#subjects.get(id) ?? new Subject(id)).standing(limits, this.#now());
  }

  /**
   * Counts a request that was admitted `ago` ms before now, before a restart, with the tokens that were settled or else
   * reserved. Called from the oldest to the newest, before the first admission.
   */
  restore(id: string, { ago, tokens }: { readonly ago: number; readonly tokens: number }): void {
    // A wall clock that was set back would put it into the future, where it would count too long.
    const past = Math.max(0, ago);
    if (past >= DAY_MS) return;
    const now = this.#now();
    this.#subject(id, now).restore(now - past, tokens, now);
  }

  #subject(id: string, now: number): Subject {
    let subject = this.#subjects.get(id);
    if (!subject) {
      if (this.#subjects.size >= this.#sweepAt) this.#sweep(now);
      this.#subjects.set(id, (subject = new Subject(id)));
    }
    return subject;
  }

  /** Removes idle subjects. Runs when the number has doubled, so that its cost per new subject is constant. */
  #sweep(now: number): void {
    for (const [id, subject] of this.#subjects) if (subject.isIdle(now)) this.#subjects.delete(id);
    this.#sweepAt = Math.max(FEW_SUBJECTS, this.#subjects.size * 2);
  }
}

/** Counts the admissions of one key or upstream; only limited quantities are counted. */
class Subject {
  readonly id: string;
  running = 0;
  #minute: SlidingSum | undefined;
  #day: SlidingSum | undefined;
  #tokens: SlidingSum | undefined;

  constructor(id: string) {
    this.id = id;
  }

  /** Returns why a request can't be admitted now; undefined if it can. */
  refusal(limits: LimitSettings, tokens: number, now: number): LimitRefusal | undefined {
    const ofTokens = limits.tokens_per_minute;
    if (ofTokens !== undefined && tokens > ofTokens) {
      return { limit: "tokens_per_minute", of: ofTokens, retryAfterMs: undefined };
    }
    const day = waitIn(this.#day, (limits.requests_per_day ?? Infinity) - 1, now);
    const minute = waitIn(this.#minute, (limits.requests_per_minute ?? Infinity) - 1, now);
    const minuteOfTokens = waitIn(this.#tokens, (ofTokens ?? Infinity) - tokens, now);
    const slot = this.running < (limits.concurrent_requests ?? Infinity) ? 0 : CONCURRENT_RETRY_MS;
    const retryAfterMs = Math.max(day, minute, minuteOfTokens, slot);
    if (retryAfterMs === 0) return undefined;
    const limit =
      (
        [
          [day, "requests_per_day"],
          [minute, "requests_per_minute"],
          [minuteOfTokens, "tokens_per_minute"],
        ] as const
      ).find(([wait]) => wait === retryAfterMs)?.[1] ?? "concurrent_requests";
    return { limit, of: limits[limit] ?? 0, retryAfterMs };
  }

  take(limits: LimitSettings, tokens: number, now: number): PermitState {
    this.running += 1;
    this.#minute = sumFor(this.#minute, limits.requests_per_minute, MINUTE_MS);
    this.#minute?.add(1, now);
    this.#day = sumFor(this.#day, limits.requests_per_day, DAY_MS);
    this.#day?.add(1, now);
    this.#tokens = sumFor(this.#tokens, limits.tokens_per_minute, MINUTE_MS);
    return new PermitState(this, this.#tokens, { tokens, now });
  }

  released(): void {
    this.running -= 1;
  }

  restore(at: number, tokens: number, now: number): void {
    // The limits are known only with the first request.
    (this.#day ??= new SlidingSum(DAY_MS)).add(1, at);
    if (at + MINUTE_MS <= now) return;
    (this.#minute ??= new SlidingSum(MINUTE_MS)).add(1, at);
    (this.#tokens ??= new SlidingSum(MINUTE_MS)).add(tokens, at);
  }

  standing(limits: LimitSettings, now: number): Standing {
    const minute = allowance(this.#minute, limits.requests_per_minute, now);
    const day = allowance(this.#day, limits.requests_per_day, now);
    return {
      requests: minute && day ? nearestExhaustion(minute, day) : (minute ?? day),
      tokens: allowance(this.#tokens, limits.tokens_per_minute, now),
    };
  }

  isIdle(now: number): boolean {
    const isEmpty = (sum: SlidingSum | undefined) => sum?.isEmpty(now) ?? true;
    return this.running === 0 && isEmpty(this.#minute) && isEmpty(this.#day) && isEmpty(this.#tokens);
  }
}

/** Returns the whole ms until a sum is at most `most`. */
function waitIn(sum: SlidingSum | undefined, most: number, now: number): number {
  return sum ? sum.waitFor(most, now) : 0;
}

function sumFor(
  sum: SlidingSum | undefined,
  limit: number | undefined,
  length: number,
): SlidingSum | undefined {
  return limit === undefined ? undefined : (sum ?? new SlidingSum(length));
}

function allowance(
  sum: SlidingSum | undefined,
  limit: number | undefined,
  now: number,
): Allowance | undefined {
  if (limit === undefined) return undefined;
  if (!sum) return { limit, remaining: limit, resetMs: 0 };
  return { limit, remaining: Math.max(0, limit - sum.total(now)), resetMs: sum.clearIn(now) };
}

function nearestExhaustion(one: Allowance, other: Allowance): Allowance {
  return one.remaining / one.limit <= other.remaining / other.limit ? one : other;
}
