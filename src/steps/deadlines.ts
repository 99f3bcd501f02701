import { UpstreamError } from "../contract/index.ts";
import type { TimeoutSettings } from "../../config/settings.ts";

// An upstream that has said all but doesn't close costs the client no more than this.
const AFTER_FINISH_MS = 5_000;

type Kind = keyof TimeoutSettings;

const AFTER_COMMIT: readonly Kind[] = ["idle", "total"];
const ONLY_TOTAL: readonly Kind[] = ["total"];
const NONE: readonly Kind[] = [];

/** The deadlines that a kind of call has, as they count one after the other. */
export interface Course {
  /** Until the upstream has taken the connection, where it reports that. */
  readonly connecting: readonly Kind[];
  /** From then on, or from the beginning. */
  readonly opening: readonly Kind[];
  /** From the first event on. */
  readonly committed: readonly Kind[];
}

export const STREAMED: Course = {
  connecting: ["connect", "first_event", "total"],
  opening: ["first_event", "total"],
  committed: AFTER_COMMIT,
};

/** Of what comes whole, or not at all. */
export const WHOLE: Course = { connecting: ["connect", "total"], opening: ONLY_TOTAL, committed: ONLY_TOTAL };

/** An answer on its way. */
export interface AwaitedAnswer {
  /** For how many ms the next event has been waited for. */
  readonly waiting: number;
}

export interface DeadlineOptions {
  readonly upstream: string;
  readonly timeouts: TimeoutSettings;
  readonly course: Course;
  /** Whether the upstream reports its connection. */
  readonly connects: boolean;
  readonly passed: (error: UpstreamError) => void;
}

/**
 * The deadlines of one attempt. `connect` ends with `connected()`, `first_event` with `committed()`, from
 * which on `idle` counts the time that the upstream keeps us waiting; `total` counts everything. One timer,
 * set for the earliest and moved on when it fires.
 */
export class Deadlines implements Disposable {
  readonly #options: DeadlineOptions;
  readonly #started = performance.now();
  /** Those that count now; a handful, so a list is quicker than a set. */
  #open: readonly Kind[];
  #idle: number;
  #answer: AwaitedAnswer | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** When the timer fires. */
  #due = Infinity;

  constructor(options: DeadlineOptions) {
    this.#options = options;
    this.#open = options.connects ? options.course.connecting : options.course.opening;
    this.#idle = options.timeouts.idle;
    this.#set();
  }

  connected(): void {
    const { connecting, opening } = this.#options.course;
    if (this.#open === connecting) this.#open = opening;
  }

  /** The first event is there. */
  committed(answer: AwaitedAnswer): void {
    this.#answer = answer;
    this.#open = this.#options.course.committed;
    this.#set();
  }

  /** Only the usage can still come. */
  finished(): void {
    this.#idle = Math.min(this.#idle, AFTER_FINISH_MS);
    this.#open = AFTER_COMMIT;
    this.#set();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#open = NONE;
  }

  #left(kind: Kind): number {
    if (kind === "idle") return this.#idle - (this.#answer?.waiting ?? 0);
    return this.#options.timeouts[kind] - (performance.now() - this.#started);
  }

  #set(): void {
    let left = Infinity;
    for (const kind of this.#open) left = Math.min(left, this.#left(kind));
    const due = performance.now() + Math.max(1, left);
    // One that fires too early sets the next.
    if (due >= this.#due) return;
    clearTimeout(this.#timer);
    this.#due = due;
    this.#timer = setTimeout(this.#fired, Math.max(1, left));
  }

  readonly #fired = (): void => {
    this.#due = Infinity;
    const due = this.#open.find((kind) => this.#left(kind) < 1);
    if (due) this.#options.passed(this.#error(due));
    else this.#set();
  };

  #error(kind: Kind): UpstreamError {
    const { upstream, timeouts } = this.#options;
    const seconds = `${(kind === "idle" ? this.#idle : timeouts[kind]) / 1000} s`;
    const said = {
      connect: `did not accept a connection within ${seconds}`,
      first_event: `did not begin to answer within ${seconds}`,
      idle: `fell silent for ${seconds} in the middle of its answer`,
      total: `did not finish its answer within ${seconds}`,
    };
    return new UpstreamError("timeout", `the upstream "${upstream}" ${said[kind]} (timeouts.${kind})`);
  }
}
