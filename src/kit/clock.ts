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
