// Taken before a TimerProbe replaces them, so that the kit's own timers are not recorded.
const { setTimeout: later, clearTimeout: never } = globalThis;
const STEP_MS = 3;

/** The result of `withTimeout` when the time has passed. */
export const TIMED_OUT: unique symbol = Symbol("late");

/** Resolves with the promise's value, or `TIMED_OUT` after `ms`. A later rejection is ignored. */
export async function withTimeout<T>(promise: Promise<T>, ms: number): Promise<T | typeof TIMED_OUT> {
  const late = Promise.withResolvers<typeof TIMED_OUT>();
  const timer = later(() => late.resolve(TIMED_OUT), ms);
  promise.catch(() => undefined);
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    never(timer);
  }
}

/** Resolves after `ms`. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => void later(resolve, ms));
}

/** Returns whether `condition` becomes true within `ms`. */
export async function becomesTrue(condition: () => boolean, ms: number): Promise<boolean> {
  const end = performance.now() + ms;
  while (!condition()) {
    if (performance.now() > end) return false;
    await pause(STEP_MS);
  }
  return true;
}
