import { UpstreamError } from "../contract/index.ts";
import type { TimeoutSettings } from "../../config/settings.ts";

// An upstream that has said all but doesn't close costs the client no more than this.
const AFTER_FINISH_MS = 5_000;

type Kind = keyof TimeoutSettings;

const AFTER_COMMIT: readonly Kind[] = ["idle", "total"];
const ONLY_TOTAL: readonly Kind[] = ["total"];

/** An answer on its way. */
export interface AwaitedAnswer {
  /** For how many ms the next event has been waited for. */
  readonly waiting: number;
}

export interface DeadlineOptions {
  readonly upstream: string;
  readonly timeouts: TimeoutSettings;
  /** Those that apply to this attempt. */
  readonly kinds: readonly Kind[];
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
    this.#open = options.kinds.filter((kind) => kind !== "idle");
    this.#idle = options.timeouts.idle;
    this.#set();
  }

  connected(): void {
    if (this.#open.includes("connect")) this.#open = this.#open.filter((kind) => kind !== "connect");
  }

  /** The first event is there. */
  committed(answer: AwaitedAnswer): void {
    this.#answer = answer;
    this.#open = this.#options.kinds.includes("idle") ? AFTER_COMMIT : ONLY_TOTAL;
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
    this.#open = [];
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
