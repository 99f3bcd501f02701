import { UpstreamError } from "../../contract/index.ts";
import type { Clock } from "../clock.ts";

/** How long something may take, and what else ends it. */
export interface Limits {
  readonly what: string;
  readonly ms: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/**
 * Runs something that takes a signal, and rejects when the deadline passes (`timeout`) or `signal` is aborted
 * (its reason), whether or not `run` heeds its own signal.
 */
export async function withDeadline<T>(run: (signal: AbortSignal) => Promise<T>, limits: Limits): Promise<T> {
  limits.signal.throwIfAborted();
  const ending = new AbortController();
  const cut = Promise.withResolvers<never>();
  const end = (reason: unknown): void => {
    ending.abort(reason);
    cut.reject(reason);
  };
  const cancelTimer = limits.clock.after(limits.ms, () =>
    end(new UpstreamError("timeout", `${limits.what} took longer than ${limits.ms / 1000} s`)),
  );
  const aborted = (): void => end(limits.signal.reason);
  limits.signal.addEventListener("abort", aborted, { once: true });
  try {
    return await Promise.race([run(ending.signal), cut.promise]);
  } finally {
    cancelTimer();
    limits.signal.removeEventListener("abort", aborted);
  }
}
