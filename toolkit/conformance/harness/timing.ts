// Taken before any check watches the timers, so that the kit's own are never among those found.
const { setTimeout: later, clearTimeout: never } = globalThis;
const STEP_MS = 3;

/** What `within` gives when the time has passed. */
export const LATE: unique symbol = Symbol("late");

/** The promise's outcome, or `LATE` when it takes longer than `ms`; what it rejects with later is nobody's. */
export async function within<T>(promise: Promise<T>, ms: number): Promise<T | typeof LATE> {
  const late = Promise.withResolvers<typeof LATE>();
  const timer = later(() => late.resolve(LATE), ms);
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

/** Whether `condition` comes to hold within `ms`. */
export async function comesTrue(condition: () => boolean, ms: number): Promise<boolean> {
  const end = performance.now() + ms;
  while (!condition()) {
    if (performance.now() > end) return false;
    await pause(STEP_MS);
  }
  return true;
}
