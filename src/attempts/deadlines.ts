import { UpstreamError } from "../contract/index.ts";
import type { TimeoutSettings } from "../../config/settings.ts";

// An upstream that has said all but doesn't close costs the client no more than this.
const AFTER_FINISH_MS = 5_000;
/** When a client may come back whom nobody could serve within `timeouts.queue`. */
const AFTER_QUEUE_MS = 5_000;

type Kind = keyof TimeoutSettings;

const QUEUED: readonly Kind[] = ["queue"];
const ANSWERING: readonly Kind[] = ["idle", "total"];
const NONE: readonly Kind[] = [];

/** The deadlines that a kind of call has until its answer begins. */
export interface TimeoutProfile {
  /** Until the upstream has taken the connection, where it reports that. */
  readonly connecting: readonly Kind[];
  /** From then on, or from the beginning. */
  readonly opening: readonly Kind[];
}

/** Of an answer that comes event by event. */
export const STREAMING: TimeoutProfile = {
  connecting: ["connect", "first_event", "total"],
  opening: ["first_event", "total"],
};

/** Of an answer that comes in one piece. `idle` counts as soon as something of it has come. */
export const UNARY: TimeoutProfile = { connecting: ["connect", "idle", "total"], opening: ANSWERING };

/** An answer on its way. */
export interface AwaitedAnswer {
  /** For how many ms the next event has been waited for. */
  readonly waiting: number;
}

export interface DeadlineOptions {
  readonly upstream: string;
  readonly timeouts: TimeoutSettings;
  readonly profile: TimeoutProfile;
  /** Whether the upstream reports its connection. */
  readonly reportsConnection: boolean;
  /** Makes the call once more on a new connection, if its connection may be dead; returns whether it did. */
  readonly renew: () => boolean;
  readonly onPassed: (error: UpstreamError) => void;
}

/**
 * The deadlines of one attempt. While the call is queued only `queue` counts. `connect` ends with `connected()`,
 * `first_event` with `committed()`, from which on `idle` counts the time that the upstream keeps us waiting; a sign of
 * life restarts both. `total` counts everything. One timer, set for the earliest and moved on when it fires.
 */
export class Deadlines implements Disposable {
  readonly #options: DeadlineOptions;
  readonly #startedAt = performance.now();
  /** Those that count now, or will when the call has had its turn; a handful, so a list is quicker than a set. */
  #open: readonly Kind[];
  #idle: number;
  #answer: AwaitedAnswer | undefined;
  #isFinished = false;
  /** When the upstream last gave a sign of life without an event; 0: never. */
  #lastSignAt = 0;
  /** How many waits for a turn there are now. */
  #waits = 0;
  #queuedAt = 0;
  /** Of waits that are over, in ms. */
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

  /** Whether the call waits for a turn at its upstream now. */
  get isQueued(): boolean {
    return this.#waits > 0;
  }

  /** For how many ms the call has waited for a turn at its upstream. */
  get queuedMs(): number {
    return this.#waits === 0 ? this.#queuedMs : this.#queuedMs + performance.now() - this.#queuedAt;
  }

  /** The call waits for a turn at its upstream, until what comes back is disposed of. */
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

  /** The upstream is at work. The timer needn't be moved: it sets itself anew when it fires too early. */
  alive(): void {
    this.#lastSignAt = performance.now();
  }

  /** The first event is there. */
  committed(answer: AwaitedAnswer): void {
    this.#answer = answer;
    this.#open = ANSWERING;
    this.#schedule();
  }

  /** Only the usage can still come. */
  finished(): void {
    this.#idle = Math.min(this.#idle, AFTER_FINISH_MS);
    this.#isFinished = true;
    this.#open = ANSWERING;
    this.#schedule();
  }

  /** More than the usage came after all: `idle` is again what it was. */
  wentOn(): void {
    this.#idle = this.#options.timeouts.idle;
    this.#isFinished = false;
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    // A late call sets no timer any more.
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

  /** How long the upstream has been silent within its answer, in ms. */
  #silence(now: number): number {
    const sinceSign = now - this.#lastSignAt;
    // One that has said all is waited for no longer because it sends pings.
    if (this.#answer)
      return this.#isFinished ? this.#answer.waiting : Math.min(this.#answer.waiting, sinceSign);
    // Nothing of it has come: then this is looked at again when the timer, set for `idle` from now, fires.
    return this.#lastSignAt === 0 ? 0 : sinceSign;
  }

  #activeKinds(): readonly Kind[] {
    return this.#waits > 0 ? QUEUED : this.#open;
  }

  #schedule(): void {
    let left = Infinity;
    for (const kind of this.#activeKinds()) left = Math.min(left, this.#msLeft(kind));
    const due = performance.now() + Math.max(1, left);
    // One that fires too early sets the next.
    if (due >= this.#due) return;
    clearTimeout(this.#timer);
    this.#due = due;
    this.#timer = setTimeout(this.#onTimer, Math.max(1, left));
  }

  readonly #onTimer = (): void => {
    this.#due = Infinity;
    const due = this.#activeKinds().find((kind) => this.#msLeft(kind) < 1);
    // Made once more on a new connection, it may take as long again.
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
