/** Wait above which a message is printed. */
const UNTOLD_MS = 1_000;

/** Waits for a promise, and prints to stderr what for if that takes longer than a second. */
export async function waitFor<T>(what: string, promise: Promise<T>): Promise<T> {
  const timer = setTimeout(() => console.error(`waiting for ${what}`), UNTOLD_MS);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
  }
}
