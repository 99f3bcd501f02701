import { UpstreamError } from "modelyard/plugin";
import type { Call } from "modelyard/plugin";
import { fold } from "./events.ts";
import type { RunnerEvent } from "./events.ts";

/**
 * One run of a prompt. It buffers between the socket, which can't be paused for one run alone, and a reader of any
 * speed. Contents are cumulative, so the buffer holds the latest event only, never more than one answer. Disposing of
 * a run aborts its signal.
 */
export class Run implements Disposable {
  /** The `run_id` of the protocol. */
  readonly id: string = crypto.randomUUID();
  /** Whether the run has its credential to itself. */
  readonly isExclusive: boolean;
  /** Whether the service was asked to start the run, so that its events may arrive. */
  hasStarted = false;
  #hasEnded = false;
  #isOpen = false;
  #content = "";
  #pending: RunnerEvent | undefined;
  #onChange: (() => void) | undefined;
  readonly #controller = new AbortController();
  readonly #callSignal: AbortSignal;
  readonly #call: Pick<Call, "signal" | "alive">;
  readonly #onAbort = (): void => this.fail(this.#callSignal.reason);

  constructor(call: Pick<Call, "signal" | "alive">, isExclusive: boolean) {
    this.isExclusive = isExclusive;
    this.#call = call;
    this.#callSignal = call.signal;
    this.#callSignal.addEventListener("abort", this.#onAbort, { once: true });
    if (this.#callSignal.aborted) this.#onAbort();
  }

  /** Whether the service has reported the run's end. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Aborts when the run fails, when the call is cancelled, and when the run is disposed of. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Called when the socket is open. */
  onOpen(): void {
    this.#isOpen = true;
    queueMicrotask(this.wake);
  }

  /** Takes an event. Returns false if the run had ended before. */
  onEvent(event: RunnerEvent): boolean {
    if (this.#hasEnded) return false;
    // Many events have no content; they still reset the idle deadline.
    this.#call.alive();
    this.#hasEnded = event.end !== undefined || event.failure !== undefined;
    if (event.failure !== undefined) this.fail(this.#errorFrom(event));
    else this.#pending = fold(this.#pending, event);
    if (event.content) this.#content = event.content;
    if (runsToWake.push(this) === 1) setImmediate(wakeRuns);
    return true;
  }

  /** Wakes the pending reader, if any. */
  readonly wake = (): void => {
    const listener = this.#onChange;
    this.#onChange = undefined;
    listener?.();
  };

  /** Ends the run with an error. */
  fail(error: unknown): void {
    this.#controller.abort(error);
    // Not synchronously: the reader must not run in the middle of the caller's work.
    queueMicrotask(this.wake);
  }

  /** Called when the socket was disconnected. */
  onDisconnect(reason: string): void {
    if (this.#hasEnded) return;
    const code = this.#content === "" ? "unavailable" : "truncated";
    this.fail(new UpstreamError(code, `the prompt runner's socket was disconnected: ${reason}`));
  }

  /** Resolves when the socket is open. Throws the run's error. */
  async connected(): Promise<void> {
    while (!this.#isOpen && !this.signal.aborted) {
      await new Promise<void>((resolve) => this.onChange(resolve));
    }
    this.signal.throwIfAborted();
  }

  /**
   * Returns all events since the last call, merged into one; undefined if there are none. Throws the run's error after
   * the events before it, or at once if the call was cancelled.
   */
  take(): RunnerEvent | undefined {
    this.#callSignal.throwIfAborted();
    const event = this.#pending;
    this.#pending = undefined;
    if (!event) this.signal.throwIfAborted();
    return event;
  }

  /** Calls `listener` once, when an event has arrived or the run has failed. */
  onChange(listener: () => void): void {
    this.#onChange = listener;
  }

  [Symbol.dispose](): void {
    this.#callSignal.removeEventListener("abort", this.#onAbort);
    this.fail(new DOMException("the run was disposed of", "AbortError"));
  }

  #errorFrom({ failure, content = "" }: RunnerEvent): UpstreamError {
    // Some failures have their message as content; content that continues the answer is no message.
    const isMessage = this.#content === "" || !content.startsWith(this.#content);
    const message = failure || (isMessage ? content : "");
    return new UpstreamError(
      "failed",
      message || "the prompt runner reported a failed run without a message",
    );
  }
}

/** The runs that received an event in this turn of the event loop. */
let runsToWake: Run[] = [];

/** Wakes the readers together after all packets of a turn were read, which costs less than one by one. */
function wakeRuns(): void {
  const runs = runsToWake;
  runsToWake = [];
  for (const run of runs) run.wake();
}
