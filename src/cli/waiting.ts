/** Nobody wonders about a shorter wait. */
const UNTOLD_MS = 1_000;

/** Waits for a promise, and says on stderr for what if that takes longer than a second. */
export async function waitFor<T>(what: string, promise: Promise<T>): Promise<T> {
  const timer = setTimeout(() => console.error(`waiting for ${what}`), UNTOLD_MS);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
  }
}
