import { UpstreamError } from "modelyard/plugin";
import type { Call } from "modelyard/plugin";
import { fold } from "./events.ts";
import type { RunnerEvent } from "./events.ts";

/** What a connection needs of a run, and tells it. */
export interface Listener {
  /** Whether no other run may be on the same credential. */
  readonly isExclusive: boolean;
  /** Whether the upstream was asked to begin, so that events can come. */
  readonly hasBegun: boolean;
  /** Whether the upstream said that it is over. */
  readonly hasEnded: boolean;
  /** The socket stands. */
  opened(): void;
  /** Takes an event; false if the run was over before. */
  deliver(event: RunnerEvent): boolean;
  /** The run can't go on. */
  fail(error: unknown): void;
  /** The socket is gone. */
  lost(reason: string): void;
}

/** For which call a run is. */
export type RunCall = Pick<Call, "signal" | "alive">;

/**
 * One run of a prompt: a letter box between the socket, which can't be paused for one run alone, and a reader
 * of any speed. Contents are cumulative, so it holds the newest word only and never more than one answer.
 * Disposing of it ends all that waits for it.
 */
export class Run implements Listener, Disposable {
  /** The `run_id` of the protocol. */
  readonly id: string = crypto.randomUUID();
  readonly isExclusive: boolean;
  hasBegun = false;
  #hasEnded = false;
  #isOpen = false;
  #said = "";
  #news: RunnerEvent | undefined;
  #changed: (() => void) | undefined;
  readonly #over = new AbortController();
  readonly #caller: AbortSignal;
  readonly #call: RunCall;
  readonly #leave = (): void => this.fail(this.#caller.reason);

  constructor(call: RunCall, isExclusive: boolean) {
    this.isExclusive = isExclusive;
    this.#call = call;
    this.#caller = call.signal;
    this.#caller.addEventListener("abort", this.#leave, { once: true });
    if (this.#caller.aborted) this.#leave();
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Aborted when the run can't go on, when nobody waits for it any more, and when it is disposed of. */
  get signal(): AbortSignal {
    return this.#over.signal;
  }

  opened(): void {
    this.#isOpen = true;
    queueMicrotask(this.wake);
  }

  deliver(event: RunnerEvent): boolean {
    if (this.#hasEnded) return false;
    // Many say nothing but that the run goes on.
    this.#call.alive();
    this.#hasEnded = event.end !== undefined || event.failure !== undefined;
    if (event.failure !== undefined) this.fail(this.#failure(event));
    else this.#news = fold(this.#news, event);
    if (event.content) this.#said = event.content;
    if (runsWithNews.push(this) === 1) setImmediate(readNews);
    return true;
  }

  /** Has the reader go on, if one waits. */
  readonly wake = (): void => {
    const changed = this.#changed;
    this.#changed = undefined;
    changed?.();
  };

  fail(error: unknown): void {
    this.#over.abort(error);
    // Behind the work of whoever says so, who knows nothing of what the reader does then.
    queueMicrotask(this.wake);
  }

  lost(reason: string): void {
    if (this.#hasEnded) return;
    const code = this.#said === "" ? "unavailable" : "truncated";
    this.fail(new UpstreamError(code, `the connection to the prompt runner is gone: ${reason}`));
  }

  /** Waits until the socket stands. Throws what the run fails with. */
  async connected(): Promise<void> {
    while (!this.#isOpen && !this.signal.aborted) {
      await new Promise<void>((resolve) => this.onChange(resolve));
    }
    this.signal.throwIfAborted();
  }

  /**
   * The news: all that came since the last, folded into one; undefined where there is none yet. Throws what the run
   * fails with, but gives out first what had come before, unless nobody waits for it any more.
   */
  take(): RunnerEvent | undefined {
    this.#caller.throwIfAborted();
    const news = this.#news;
    this.#news = undefined;
    if (!news) this.signal.throwIfAborted();
    return news;
  }

  /** Has this called once, when there may be news, or the run can't go on. */
  onChange(changed: () => void): void {
    this.#changed = changed;
  }

  [Symbol.dispose](): void {
    this.#caller.removeEventListener("abort", this.#leave);
    this.fail(new DOMException("the run is over", "AbortError"));
  }

  #failure({ failure, content = "" }: RunnerEvent): UpstreamError {
    // Some failures come as the content. What goes on with the answer is the answer, not a message.
    const isMessage = this.#said === "" || !content.startsWith(this.#said);
    const message = failure || (isMessage ? content : "");
    return new UpstreamError("failed", message || "the prompt runner says that the run failed");
  }
}

/** Those that something was delivered to in this turn of the event loop. */
let runsWithNews: Run[] = [];

/** Their answers go on together, once all packets that have arrived are read: that costs less than each by itself. */
function readNews(): void {
  const runs = runsWithNews;
  runsWithNews = [];
  for (const run of runs) run.wake();
}
