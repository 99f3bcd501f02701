import type { LimitSettings } from "../../config/settings.ts";
import { SlidingSum } from "./sliding-sum.ts";
import type { Permit } from "./permit.ts";
import { PermitState, LimitPermit } from "./permit.ts";

export type { Permit } from "./permit.ts";

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
/** When one of the concurrent requests will end can't be known. */
const CONCURRENT_RETRY_MS = 1000;
/** Subjects beyond which those that are idle are looked for. */
const FEW_SUBJECTS = 64;

/** Who is limited: a key or an upstream. */
export interface Limited {
  /** Unique among all, as `key alice` or `upstream openai`. */
  readonly id: string;
  readonly limits: LimitSettings;
}

/** Which limit a request would have broken, and when it is worth coming back. */
export interface LimitRefusal {
  readonly limit: keyof LimitSettings;
  /** The limit's number. */
  readonly of: number;
  /** Milliseconds after which a lone request would be admitted; undefined: never, it asks for more than the limit. */
  readonly retryAfterMs: number | undefined;
}

/** What is left of a kind of limit: of the one nearest exhaustion, where there are two. */
export interface Allowance {
  readonly limit: number;
  readonly remaining: number;
  /** Milliseconds until all of it is there again if nothing more is asked. */
  readonly resetMs: number;
}

/** What is left of a subject's limits; undefined where it has none of that kind. */
export interface Standing {
  readonly requests: Allowance | undefined;
  readonly tokens: Allowance | undefined;
}

export interface RateLimiterOptions {
  /** Milliseconds that never go back; `performance.now` by default. */
  readonly now?: () => number;
  /** Told when a slot of this id was forgotten undisposed. It was freed; but somebody has a bug. */
  readonly onLeak?: (id: string) => void;
}

/**
 * Admits requests within the limits of whoever asks. In any 60 s or 24 h, the last instant excluded, no more are
 * admitted than the limit says, and that many are admitted at once. The limits are those that come with each
 * request, so that others apply as soon as they are there.
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

  /** Subjects of whom something is kept. */
  get size(): number {
    return this.#subjects.size;
  }

  /** Slots that hold one of the concurrent requests. Counted when asked for, in time with `size`. */
  get running(): number {
    return this.#subjects.values().reduce((sum, { running }) => sum + running, 0);
  }

  /**
   * Admits one request that may need `tokens`, a whole number, or says why not; a refusal, the one that has
   * `limit` in it, consumes nothing. Where several limits are in the way it names the one that lasts longest.
   */
  admit(limited: Limited, tokens: number): Permit | LimitRefusal {
    const now = this.#now();
    const subject = this.#subject(limited.id, now);
    const refusal = subject.refusal(limited.limits, tokens, now);
    if (refusal) return refusal;
    return new LimitPermit(subject.take(limited.limits, tokens, now), this.#registry);
  }

  /** What is left of someone's limits now. */
  standing({ id, limits }: Limited): Standing {
    return (this.#subjects.get(id) ?? new Subject(id)).standing(limits, this.#now());
  }

  /**
   * Counts what was admitted before a restart, `ago` ms before now, to what was settled or else reserved. To be
   * called from the oldest to the newest, before anything is admitted.
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

  /** Forgets who is idle. As rarely as the number doubles, so that it costs each newcomer the same few steps. */
  #sweep(now: number): void {
    for (const [id, subject] of this.#subjects) if (subject.isIdle(now)) this.#subjects.delete(id);
    this.#sweepAt = Math.max(FEW_SUBJECTS, this.#subjects.size * 2);
  }
}

/** What one key or upstream has been admitted to. A log is kept only of what is limited. */
class Subject {
  readonly id: string;
  running = 0;
  #minute: SlidingSum | undefined;
  #day: SlidingSum | undefined;
  #tokens: SlidingSum | undefined;

  constructor(id: string) {
    this.id = id;
  }

  /** Why a request can't be admitted now; undefined if it can. */
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
    // Which of them are limited is known only when somebody asks.
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

/** Whole ms until a sum holds at most `most`. */
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
