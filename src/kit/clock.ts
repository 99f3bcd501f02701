import { UpstreamError } from "../contract/index.ts";

/** Time, so that tests can hold it. Milliseconds everywhere. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Calls `run` once after `ms`; the function it gives back cancels that. Keeps no process alive. */
  after(ms: number, run: () => void): () => void;
}

/** Real time. */
export const systemClock: Clock = {
  now: () => Date.now(),
  after(ms, run) {
    const timer = setTimeout(run, Math.min(ms, MAX_TIMEOUT));
    timer.unref();
    return () => clearTimeout(timer);
  },
};

// Beyond this setTimeout fires at once (its delay is a signed 32 bit number).
const MAX_TIMEOUT = 2 ** 31 - 1;

/** The time limit of an operation, and what it is called in the error. */
export interface Deadline {
  readonly what: string;
  readonly ms: number;
  readonly clock: Clock;
  /** Ends the operation early. */
  readonly signal?: AbortSignal;
}

/**
 * Runs an operation. Rejects with `UpstreamError` `timeout` after the deadline or with the reason of `signal`, even if
 * the operation ignores the signal it is given.
 */
export async function withDeadline<T>(
  run: (signal: AbortSignal) => Promise<T>,
  { what, ms, clock, signal }: Deadline,
): Promise<T> {
  signal?.throwIfAborted();
  const ending = new AbortController();
  const cut = Promise.withResolvers<never>();
  const end = (reason: unknown): void => {
    ending.abort(reason);
    cut.reject(reason);
  };
  const cancelTimer = clock.after(ms, () =>
    end(new UpstreamError("timeout", `${what} took longer than ${ms / 1000} s`)),
  );
  const onAbort = (): void => end(signal?.reason);
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([run(ending.signal), cut.promise]);
  } finally {
    cancelTimer();
    signal?.removeEventListener("abort", onAbort);
  }
}
