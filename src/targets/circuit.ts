import type { UpstreamErrorCode } from "../contract/index.ts";
import { FAILURES } from "../contract/index.ts";
import { SlidingCount } from "../limits/sliding-count.ts";

export interface CircuitSettings {
  /** Milliseconds over which failures are counted. */
  readonly window: number;
  /** Number of failures that open the circuit if they are at least half of all calls. */
  readonly failures: number;
  /** Milliseconds until an open circuit admits a probe. */
  readonly cooldown: number;
}

export type CircuitState = "closed" | "open" | "half_open";

/** How an attempt ended, as far as the target's health is concerned. */
export type Outcome =
  | "ok"
  | "abandoned"
  /** The plugin refused the request before it asked anything of the upstream. */
  | "unasked"
  | { readonly code: UpstreamErrorCode; readonly retryAfterMs?: number | undefined };

/** A request's properties when it enters a circuit. */
export interface CircuitEntry {
  /** True for a repeated attempt: neither the call nor its failure counts again. */
  readonly isRepeat: boolean;
  /** True if it may pass an open or pausing circuit, because no other target is left. */
  readonly isLastResort: boolean;
  /** Returns a hash of the request body; called only after a failure. */
  readonly body: () => string | number | bigint;
}

/** Share of failing calls below which the circuit stays closed. */
const FAILING_SHARE = 0.5;
/** Concurrent last-resort requests at a pausing target. */
const LAST_RESORTS = 3;
/** Failing bodies that are remembered; an evicted one counts again. */
const MAX_BODIES = 64;

/**
 * Circuit breaker for a target, or for all targets of an upstream. Closed: all requests pass. Open: none, until the
 * cooldown is over. Half open: one probe passes; it closes the circuit when its answer begins, or opens it again.
 *
 * Requests count, not their attempts. While nothing succeeds each failed request counts; beside successes, and where the
 * body may be the cause, a failure counts once per request body. A 429 with a `retry-after` pauses the circuit until then
 * without counting. A refused credential counts only while nothing succeeds, because other credentials may be valid. A
 * failure that is the request's own proves that the target works.
 *
 * A last-resort request may pass although the circuit is open or pausing: one at a time while open, as the probe; a few at a
 * time during a pause, because a token limit may refuse only large requests.
 */
export class Circuit {
  readonly #settings: CircuitSettings;
  readonly #calls: SlidingCount;
  /** Failures; those of one body count once. */
  readonly #failures: SlidingCount;
  /** Failed requests since the last success. */
  readonly #streak: SlidingCount;
  /** When each body last failed; created with the first failure. */
  #bodies: Map<string | number | bigint, number> | undefined;
  #hasStreak = false;
  #rejections = 0;
  #open = false;
  /** End of the pause, in ms by the caller's clock. */
  #until = 0;
  #cause: UpstreamErrorCode = "unavailable";
  #probe: CircuitPermit | undefined;
  /** Last-resort requests that run during a pause. */
  #lastResorts = 0;

  constructor(settings: CircuitSettings) {
    this.#settings = settings;
    this.#calls = new SlidingCount(settings.window);
    this.#failures = new SlidingCount(settings.window);
    this.#streak = new SlidingCount(settings.window);
  }

  /** Returns the current state. */
  state(now: number): CircuitState {
    if (now < this.#until) return "open";
    return this.#open ? "half_open" : "closed";
  }

  /** The failure that opened or paused the circuit. */
  get cause(): UpstreamErrorCode {
    return this.#cause;
  }

  /** Returns what would be lost if the circuit were forgotten: nothing, counted failures, or an open state. */
  worth(now: number): "nothing" | "failures" | "rest" {
    if (this.#open || now < this.#until) return "rest";
    const failing = this.#rejections > 0 || this.#failures.total(now) > 0 || this.#streak.total(now) > 0;
    return failing ? "failures" : "nothing";
  }

  /** Returns the ms until a request may pass; 0: now. */
  wait(now: number): number {
    if (now < this.#until) return this.#until - now;
    return this.#open && this.#probe ? PROBE_WAIT_MS : 0;
  }

  /** Returns whether a last-resort request may pass. */
  allowsLastResort(now: number): boolean {
    if (this.#open) return this.#probe === undefined;
    return now >= this.#until || this.#lastResorts < LAST_RESORTS;
  }

  /** Returns a permit, which must be ended; undefined if the request may not pass. */
  enter(now: number, entry: CircuitEntry): CircuitPermit | undefined {
    if (entry.isLastResort ? !this.allowsLastResort(now) : this.wait(now) > 0) return undefined;
    if (!entry.isRepeat) this.#calls.add(now);
    const isLastResort = !this.#open && now < this.#until;
    const permit = new CircuitPermit(this, entry, isLastResort);
    if (this.#open) this.#probe = permit;
    if (isLastResort) this.#lastResorts += 1;
    return permit;
  }

  /** Called by a permit when its answer begins: that completes a probe, however long the answer takes. */
  answered(permit: CircuitPermit): void {
    if (this.#probe !== permit) return;
    this.#probe = undefined;
    this.#recovered(true);
  }

  /** Called by a permit when its attempt has ended. */
  ended(permit: CircuitPermit, outcome: Outcome, now: number): void {
    const probe = this.#probe === permit;
    if (probe) this.#probe = undefined;
    if (permit.isLastResort) this.#lastResorts -= 1;
    if (outcome === "abandoned" || outcome === "unasked") return;
    if (outcome === "ok") return this.#succeeded(probe);
    const { code, retryAfterMs = 0 } = outcome;
    const { blame, counts } = FAILURES[code];
    if (blame === "request" || blame === "model") this.#recovered(probe);
    else if (counts !== "never" && (probe || this.#reachesThreshold(code, permit.entry, now)))
      this.#trip(code, retryAfterMs, now);
    else if (counts !== "never" || code === "rate-limited") this.#pause(code, retryAfterMs, now);
  }

  /** Counts a failure and returns whether the threshold is reached. */
  #reachesThreshold(code: UpstreamErrorCode, { isRepeat, body }: CircuitEntry, now: number): boolean {
    if (isRepeat) return false;
    const { blame, counts } = FAILURES[code];
    if (blame === "credential") return ++this.#rejections >= this.#settings.failures;
    if (counts === "request") {
      this.#streak.add(now);
      this.#hasStreak = true;
    }
    if (this.#isNewBody(body(), now)) this.#failures.add(now);
    const failures = Math.max(this.#streak.total(now), this.#failures.total(now));
    return failures >= this.#settings.failures && failures >= FAILING_SHARE * this.#calls.total(now);
  }

  /** Records a body's failure and returns whether it is its first within the window. */
  #isNewBody(body: string | number | bigint, now: number): boolean {
    const bodies = (this.#bodies ??= new Map());
    const before = bodies.get(body);
    bodies.delete(body);
    bodies.set(body, now);
    const [oldest] = bodies.keys();
    if (bodies.size > MAX_BODIES && oldest !== undefined) bodies.delete(oldest);
    return before === undefined || now - before >= this.#settings.window;
  }

  #succeeded(probe: boolean): void {
    if (this.#hasStreak) this.#streak.clear();
    this.#hasStreak = false;
    this.#recovered(probe);
  }

  /** Only the probe closes the circuit: other requests may have begun before it opened. */
  #recovered(probe: boolean): void {
    this.#rejections = 0;
    if (!probe) return;
    this.#open = false;
    this.#until = 0;
    this.#failures.clear();
    this.#streak.clear();
    this.#calls.clear();
    this.#bodies = undefined;
  }

  #trip(code: UpstreamErrorCode, retryAfterMs: number, now: number): void {
    this.#open = true;
    this.#pause(code, Math.max(this.#settings.cooldown, retryAfterMs), now);
  }

  /** Pauses the circuit; never shortens a longer pause. */
  #pause(code: UpstreamErrorCode, ms: number, now: number): void {
    const until = now + Math.min(ms, LONGEST_PAUSE_MS);
    if (until <= this.#until) return;
    this.#until = until;
    this.#cause = code;
  }
}

/** Permits one request to pass a circuit; the holder must call `ended`. */
export class CircuitPermit {
  readonly entry: CircuitEntry;
  readonly isLastResort: boolean;
  readonly #circuit: Circuit;

  constructor(circuit: Circuit, entry: CircuitEntry, isLastResort: boolean) {
    this.#circuit = circuit;
    this.entry = entry;
    this.isLastResort = isLastResort;
  }

  /** Reports that the answer has begun. */
  answered(): void {
    this.#circuit.answered(this);
  }

  ended(outcome: Outcome, now: number): void {
    this.#circuit.ended(this, outcome, now);
  }
}

/** Wait reported while a probe runs. */
const PROBE_WAIT_MS = 1_000;
/** Longest pause that an upstream can ask for. */
const LONGEST_PAUSE_MS = 10 * 60_000;
