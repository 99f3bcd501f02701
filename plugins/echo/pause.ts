import { systemClock } from "modelyard/kit";

/** Waits for `ms`, or for ever if that is infinite. Rejects with the signal's reason as soon as it aborts. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const abort = (): void => reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  const cancel = ms === Infinity ? undefined : systemClock.after(ms, resolve);
  try {
    await promise;
  } finally {
    cancel?.();
    signal.removeEventListener("abort", abort);
  }
}
