import type { UpstreamErrorCode } from "../contract/index.ts";
import { FAILURES } from "../contract/index.ts";
import { SlidingCount } from "./sliding-count.ts";

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
  | { readonly code: UpstreamErrorCode; readonly retryAfterMs?: number | undefined };

/** The share of failing calls below which a busy target is not given up for a few of them. */
const FAILING_SHARE = 0.5;

/**
 * Keeps requests away from a target that fails. Closed: all may pass. Open: none, until the cooldown is over.
 * Half open: one probe may pass; it closes the circuit when its answer begins, or opens it again. A 429 with a
 * `retry-after` closes the way until then without counting as a failure; a refused credential (401, 403) counts
 * only while nothing succeeds beside it, because the other credentials may be good; what is the client's own
 * fault counts as a sign of life.
 */
export class Circuit {
  readonly #settings: CircuitSettings;
  readonly #calls: SlidingCount;
  readonly #failures: SlidingCount;
  #rejections = 0;
  #open = false;
  /** Until when nothing may pass, in ms by the caller's clock. */
  #until = 0;
  #cause: UpstreamErrorCode = "unavailable";
  #probe: Pass | undefined;

  constructor(settings: CircuitSettings) {
    this.#settings = settings;
    this.#calls = new SlidingCount(settings.window);
    this.#failures = new SlidingCount(settings.window);
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

  /** Milliseconds until it is worth asking again; 0 when a request may pass now. */
  wait(now: number): number {
    if (now < this.#until) return this.#until - now;
    return this.#open && this.#probe ? PROBE_WAIT_MS : 0;
  }

  /** Lets a request pass, which must then say how it ended; undefined when none may. */
  enter(now: number): Pass | undefined {
    if (this.wait(now) > 0) return undefined;
    this.#calls.add(now);
    const pass = new Pass(this);
    if (this.#open) this.#probe = pass;
    return pass;
  }

  /** For a pass: a probe has done its work as soon as an answer begins, and nobody need wait until a long one has ended. */
  answered(pass: Pass): void {
    if (this.#probe !== pass) return;
    this.#probe = undefined;
    this.#alive(true);
  }

  /** For a pass. */
  ended(pass: Pass, outcome: Outcome, now: number): void {
    const probe = this.#probe === pass;
    if (probe) this.#probe = undefined;
    if (outcome === "abandoned") return;
    const code = outcome === "ok" ? undefined : outcome.code;
    const retryAfterMs = outcome === "ok" ? 0 : (outcome.retryAfterMs ?? 0);
    if (code === undefined || isClientsFault(code)) this.#alive(probe);
    else if (code === "rate-limited") this.#pause(code, retryAfterMs, now);
    else if (probe || this.#condemns(code, now)) this.#openUp(code, retryAfterMs, now);
    else this.#pause(code, retryAfterMs, now);
  }

  /** Counts a failure; true when it is one too many. */
  #condemns(code: UpstreamErrorCode, now: number): boolean {
    if (code === "rejected") return ++this.#rejections >= this.#settings.failures;
    this.#failures.add(now);
    const failures = this.#failures.total(now);
    return failures >= this.#settings.failures && failures >= FAILING_SHARE * this.#calls.total(now);
  }

  /** A request that began before the circuit opened says nothing about it now: only the probe closes it. */
  #alive(probe: boolean): void {
    this.#rejections = 0;
    if (!probe) return;
    this.#open = false;
    this.#failures.clear();
    this.#calls.clear();
  }

  #openUp(code: UpstreamErrorCode, retryAfterMs: number, now: number): void {
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
export class Pass {
  readonly #circuit: Circuit;

  constructor(circuit: Circuit) {
    this.#circuit = circuit;
  }

  /** Its answer has begun. */
  answered(): void {
    this.#circuit.answered(this);
  }

  ended(outcome: Outcome, now: number): void {
    this.#circuit.ended(this, outcome, now);
  }
}

/** What is the client's or the route's own fault is a sign of life. */
function isClientsFault(code: UpstreamErrorCode): boolean {
  const { blame } = FAILURES[code];
  return blame === "client" || blame === "route";
}

/** Who meets a probe under way may come back when it is likely to have ended. */
const PROBE_WAIT_MS = 1_000;
/** No word of an upstream keeps requests away for longer. */
const LONGEST_PAUSE_MS = 10 * 60_000;
