import type { CancelSource } from "./cancel-source.ts";

/** Resolves after `ms`, never earlier, or rejects with the reason of a cancellation at once. */
export async function pause(ms: number, cancellation: CancelSource<Error>): Promise<void> {
  cancellation.throwIfCancelled();
  if (ms <= 0) return;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  // Bun drops the fraction and would fire early.
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
