import type { CancelSource } from "./cancel-source.ts";

/** Resolves after `ms` and not a moment before, or rejects with the reason as soon as it is cancelled. */
export async function pause(ms: number, cancellation: CancelSource<Error>): Promise<void> {
  cancellation.throwIfCancelled();
  if (ms <= 0) return;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  // Bun cuts fractions off, and would be early.
  const timer = setTimeout(resolve, Math.ceil(ms));
  const cancelled = () => reject(cancellation.reason);
  cancellation.listen(cancelled);
  try {
    await promise;
  } finally {
    clearTimeout(timer);
    cancellation.forget(cancelled);
  }
}
