import { UpstreamError } from "../contract/index.ts";
import type { TimeoutSettings } from "../../config/settings.ts";

// An upstream that has finished but doesn't close the stream costs the client no more than this.
const AFTER_FINISH_MS = 5_000;
/** Retry-after for a request that got no credential within `timeouts.queue`, in ms. */
const AFTER_QUEUE_MS = 5_000;

type Kind = keyof TimeoutSettings;

const QUEUED: readonly Kind[] = ["queue"];
const ANSWERING: readonly Kind[] = ["idle", "total"];
const NONE: readonly Kind[] = [];

/** The deadlines of a kind of call until its answer begins. */
export interface TimeoutProfile {
  /** Until the connection is established, if the upstream reports that. */
  readonly connecting: readonly Kind[];
  /** Afterwards, or from the start. */
  readonly opening: readonly Kind[];
}

/** Deadlines of an answer that arrives event by event. */
export const STREAMING: TimeoutProfile = {
  connecting: ["connect", "first_event", "total"],
  opening: ["first_event", "total"],
};

/** Deadlines of an answer in one piece. `idle` counts from its first byte. */
export const UNARY: TimeoutProfile = { connecting: ["connect", "idle", "total"], opening: ANSWERING };

/** An answer that is being received. */
export interface AwaitedAnswer {
  /** How long the next event has been awaited, in ms. */
  readonly waiting: number;
}

export interface DeadlineOptions {
  readonly upstream: string;
  readonly timeouts: TimeoutSettings;
  readonly profile: TimeoutProfile;
  /** True if the upstream reports its connection. */
  readonly reportsConnection: boolean;
  /** Repeats the call on a new connection if the current one may be dead; returns whether it did. */
  readonly renew: () => boolean;
  readonly onPassed: (error: UpstreamError) => void;
}

/**
 * Enforces the deadlines of one attempt. While the call is queued only `queue` counts. `connect` ends with `connected()`,
 * `first_event` with `committed()`; from then on `idle` limits the upstream's silence. A keep-alive restarts `first_event`
 * and `idle`. `total` limits the whole attempt. One timer is set for the earliest deadline and moved when it fires.
 */
export class Deadlines implements Disposable {
  readonly #options: DeadlineOptions;
  readonly #startedAt = performance.now();
  /** The deadlines that count now, or after queueing. */
  #open: readonly Kind[];
  #idle: number;
  #answer: AwaitedAnswer | undefined;
  #isFinished = false;
  /** When the upstream last sent a keep-alive without an event; 0: never. */
  #lastSignAt = 0;
  /** Number of pending `queued` waits. */
  #waits = 0;
  #queuedAt = 0;
  /** Total of finished waits, in ms. */
  #queuedMs = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** When the timer fires. */
  #due = Infinity;

  constructor(options: DeadlineOptions) {
    this.#options = options;
    this.#open = options.reportsConnection ? options.profile.connecting : options.profile.opening;
    this.#idle = options.timeouts.idle;
    this.#schedule();
  }

  /** True while the call is queued at its upstream. */
  get isQueued(): boolean {
    return this.#waits > 0;
  }

  /** How long the call has been queued at its upstream, in ms. */
  get queuedMs(): number {
    return this.#waits === 0 ? this.#queuedMs : this.#queuedMs + performance.now() - this.#queuedAt;
  }

  /** Marks the call as queued until the returned object is disposed. */
  queued(): Disposable {
    if (this.#waits++ === 0) this.#queuedAt = performance.now();
    this.#schedule();
    let isOver = false;
    return {
      [Symbol.dispose]: () => {
        if (!isOver) this.#endWait();
        isOver = true;
      },
    };
  }

  #endWait(): void {
    const queuedMs = this.queuedMs;
    if (--this.#waits > 0) return;
    this.#queuedMs = queuedMs;
    this.#schedule();
  }

  connected(): void {
    const { connecting, opening } = this.#options.profile;
    if (this.#open === connecting) this.#open = opening;
  }

  /** Records a keep-alive. The timer isn't moved: it is set again when it fires too early. */
  alive(): void {
    this.#lastSignAt = performance.now();
  }

  /** Starts counting `idle` after the first event. */
  committed(answer: AwaitedAnswer): void {
    this.#answer = answer;
    this.#open = ANSWERING;
    this.#schedule();
  }

  /** Shortens `idle` once only usage can follow. */
  finished(): void {
    this.#idle = Math.min(this.#idle, AFTER_FINISH_MS);
    this.#isFinished = true;
    this.#open = ANSWERING;
    this.#schedule();
  }

  /** Restores `idle` after more than usage has followed. */
  wentOn(): void {
    this.#idle = this.#options.timeouts.idle;
    this.#isFinished = false;
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    // Later calls must not set a timer.
    this.#due = 0;
    this.#open = NONE;
  }

  #msLeft(kind: Kind): number {
    const { timeouts } = this.#options;
    const now = performance.now();
    const total = timeouts.total - (now - this.#startedAt);
    if (kind === "total") return total;
    if (kind === "queue") return Math.min(timeouts.queue - this.queuedMs, total);
    if (kind === "idle") return this.#idle - this.#silence(now);
    const spent = now - this.#startedAt - this.#queuedMs;
    if (kind === "connect") return timeouts.connect - spent;
    return timeouts.first_event - Math.min(spent, now - this.#lastSignAt);
  }

  /** Returns the upstream's silence within its answer, in ms. */
  #silence(now: number): number {
    const sinceSign = now - this.#lastSignAt;
    // After the finish keep-alives don't extend the deadline.
    if (this.#answer)
      return this.#isFinished ? this.#answer.waiting : Math.min(this.#answer.waiting, sinceSign);
    // Nothing has arrived: the timer, set for `idle` from now, checks again.
    return this.#lastSignAt === 0 ? 0 : sinceSign;
  }

  #activeKinds(): readonly Kind[] {
    return this.#waits > 0 ? QUEUED : this.#open;
  }

  #schedule(): void {
    let left = Infinity;
    for (const kind of this.#activeKinds()) left = Math.min(left, this.#msLeft(kind));
    const due = performance.now() + Math.max(1, left);
    // A timer that fires too early sets the next.
    if (due >= this.#due) return;
    clearTimeout(this.#timer);
    this.#due = due;
    this.#timer = setTimeout(this.#onTimer, Math.max(1, left));
  }

  readonly #onTimer = (): void => {
    this.#due = Infinity;
    const due = this.#activeKinds().find((kind) => this.#msLeft(kind) < 1);
    // On a new connection the call gets the full time again.
    if (due === "first_event" && this.#options.renew()) this.alive();
    else if (due) return this.#options.onPassed(this.#error(due));
    this.#schedule();
  };

  #error(kind: Kind): UpstreamError {
    const { upstream, timeouts } = this.#options;
    if (kind === "queue") return this.#overloaded();
    const seconds = `${(kind === "idle" ? this.#idle : timeouts[kind]) / 1000} s`;
    const what = {
      connect: `did not accept a connection within ${seconds}`,
      first_event: `did not begin to answer within ${seconds}`,
      idle: `fell silent for ${seconds} in the middle of its answer`,
      total: `did not finish its answer within ${seconds}`,
    };
    return new UpstreamError("timeout", `the upstream "${upstream}" ${what[kind]} (timeouts.${kind})`);
  }

  #overloaded(): UpstreamError {
    const { upstream, timeouts } = this.#options;
    const seconds = `${Math.min(timeouts.queue, timeouts.total) / 1000} s`;
    const message = `the upstream "${upstream}" had no free credential for ${seconds} (timeouts.queue); try again later`;
    return new UpstreamError("overloaded", message, { retryAfterMs: AFTER_QUEUE_MS });
  }
}
