import type { UpstreamErrorCode } from "../contract/index.ts";
import { FAILURES } from "../contract/index.ts";
import { SlidingCount } from "../limits/sliding-count.ts";

export interface CircuitSettings {
  /** Milliseconds in which failures are counted. */
  readonly window: number;
  /** So many of them, and at least half of all calls, open the circuit. */
  readonly failures: number;
  /** Milliseconds until an open circuit lets a probe through. */
  readonly cooldown: number;
}

export type CircuitState = "closed" | "open" | "half_open";

/** How an attempt ended, as far as it says something about the target. */
export type Outcome =
  | "ok"
  | "abandoned"
  /** The plugin refused the request before it asked anything of the upstream. */
  | "unasked"
  | { readonly code: UpstreamErrorCode; readonly retryAfterMs?: number | undefined };

/** What a circuit is told of a request that wants to pass. */
export interface CircuitEntry {
  /** The request has been here before: neither the call nor its failure counts once more. */
  readonly isRepeat: boolean;
  /** It passes although the circuit is open or pausing, because nothing else is left for it. */
  readonly isLastResort: boolean;
  /** Tells request bodies apart; asked only after a failure. */
  readonly body: () => string | number | bigint;
}

/** The share of failing calls below which a busy target is not given up for a few of them. */
const FAILING_SHARE = 0.5;
/** So many requests at a time may ask a pausing target that is the only one left. */
const LAST_RESORTS = 3;
/** So many failing bodies are told apart; a body that is forgotten counts once more. */
const MAX_BODIES = 64;

/**
 * Keeps requests away from a target, or from all targets of an upstream. Closed: all may pass. Open: none, until the
 * cooldown is over. Half open: one probe may pass; it closes the circuit when its answer begins, or opens it again.
 *
 * Requests count, not their tries. While nothing succeeds each failed request counts; beside successes a failure counts
 * once per request body, and so does at any time what the body may be the cause of. A 429 with a `retry-after` closes
 * the way until then without counting. A refused credential counts only while nothing succeeds beside it, because the
 * other credentials may be good. What is the request's own fault is a sign of life.
 *
 * A request that nothing else is left for may pass a closed way all the same: one at a time through an open circuit,
 * as its probe; a few at a time during a pause, since a limit of tokens may refuse the large requests only.
 */
export class Circuit {
  readonly #settings: CircuitSettings;
  readonly #calls: SlidingCount;
  /** Failures, those of one body as one. */
  readonly #failures: SlidingCount;
  /** Failed requests since something last succeeded. */
  readonly #streak: SlidingCount;
  /** When each body last failed; made with the first failure. */
  #bodies: Map<string | number | bigint, number> | undefined;
  #hasStreak = false;
  #rejections = 0;
  #open = false;
  /** Until when nothing may pass, in ms by the caller's clock. */
  #until = 0;
  #cause: UpstreamErrorCode = "unavailable";
  #probe: CircuitPermit | undefined;
  /** Requests that passed during a pause. */
  #lastResorts = 0;

  constructor(settings: CircuitSettings) {
    this.#settings = settings;
    this.#calls = new SlidingCount(settings.window);
    this.#failures = new SlidingCount(settings.window);
    this.#streak = new SlidingCount(settings.window);
  }

  /** What a request would meet now. */
  state(now: number): CircuitState {
    if (now < this.#until) return "open";
    return this.#open ? "half_open" : "closed";
  }

  /** Why nothing passes, while nothing passes. */
  get cause(): UpstreamErrorCode {
    return this.#cause;
  }

  /** What is lost with it: nothing, failures that were counted, or that requests are to be kept away. */
  worth(now: number): "nothing" | "failures" | "rest" {
    if (this.#open || now < this.#until) return "rest";
    const failing = this.#rejections > 0 || this.#failures.total(now) > 0 || this.#streak.total(now) > 0;
    return failing ? "failures" : "nothing";
  }

  /** Milliseconds until it is worth asking again; 0 when a request may pass now. */
  wait(now: number): number {
    if (now < this.#until) return this.#until - now;
    return this.#open && this.#probe ? PROBE_WAIT_MS : 0;
  }

  /** Whether a request may pass that nothing else is left for. */
  allowsLastResort(now: number): boolean {
    if (this.#open) return this.#probe === undefined;
    return now >= this.#until || this.#lastResorts < LAST_RESORTS;
  }

  /** Lets a request pass, which must then say how it ended; undefined when none may. */
  enter(now: number, entry: CircuitEntry): CircuitPermit | undefined {
    if (entry.isLastResort ? !this.allowsLastResort(now) : this.wait(now) > 0) return undefined;
    if (!entry.isRepeat) this.#calls.add(now);
    const isLastResort = !this.#open && now < this.#until;
    const permit = new CircuitPermit(this, entry, isLastResort);
    if (this.#open) this.#probe = permit;
    if (isLastResort) this.#lastResorts += 1;
    return permit;
  }

  /** For a pass: a probe has done its work as soon as an answer begins, and nobody need wait until a long one has ended. */
  answered(permit: CircuitPermit): void {
    if (this.#probe !== permit) return;
    this.#probe = undefined;
    this.#recovered(true);
  }

  /** For a pass. */
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

  /** Counts a failure; true when it is one too many. */
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

  /** Whether a body hasn't failed here of late. */
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

  /** A request that began before the circuit opened says nothing about it now: only the probe closes it. */
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

  /** Never shortens a pause that is already longer. */
  #pause(code: UpstreamErrorCode, ms: number, now: number): void {
    const until = now + Math.min(ms, LONGEST_PAUSE_MS);
    if (until <= this.#until) return;
    this.#until = until;
    this.#cause = code;
  }
}

/** A request that was let through; it must say how it ended, whatever happens. */
export class CircuitPermit {
  readonly entry: CircuitEntry;
  readonly isLastResort: boolean;
  readonly #circuit: Circuit;

  constructor(circuit: Circuit, entry: CircuitEntry, isLastResort: boolean) {
    this.#circuit = circuit;
    this.entry = entry;
    this.isLastResort = isLastResort;
  }

  /** Its answer has begun. */
  answered(): void {
    this.#circuit.answered(this);
  }

  ended(outcome: Outcome, now: number): void {
    this.#circuit.ended(this, outcome, now);
  }
}

/** Who meets a probe under way may come back when it is likely to have ended. */
const PROBE_WAIT_MS = 1_000;
/** No word of an upstream keeps requests away for longer. */
const LONGEST_PAUSE_MS = 10 * 60_000;
