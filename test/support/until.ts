const STEP_MS = 2;

/**
 * Resolves as soon as `condition` holds, for what nothing tells of (counters within the gateway, a process that
 * has gone). Rejects with `what` when it doesn't within `ms`.
 */
export async function until(condition: () => boolean | Promise<boolean>, what: string, ms = 4_000) {
  const end = performance.now() + ms;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`still waiting after ${ms} ms: ${what}`);
    await Bun.sleep(STEP_MS);
  }
}

/** The promise's outcome, or an error that says `what` when it takes longer than `ms`. */
export async function withinMs<T>(promise: Promise<T>, what: string, ms = 4_000): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`not within ${ms} ms: ${what}`)), ms);
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
