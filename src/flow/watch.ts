/**
 * Passes on what `source` yields, and stops waiting for it the moment `signal` is aborted: the wait then
 * rejects with the signal's reason, and the source is told to return. The source itself may go on awaiting
 * (a generator can't be interrupted), but nobody waits for it any more.
 */
export function watch<T>(source: AsyncIterator<T>, signal: AbortSignal): WatchedIterator<T> {
  return new WatchedIterator(source, signal);
}

/** See `watch`. */
export class WatchedIterator<T> implements AsyncIterator<T> {
  readonly #source: AsyncIterator<T>;
  readonly #signal: AbortSignal;
  #reject: ((reason: unknown) => void) | undefined;
  #waitingSince: number | undefined;
  #left = false;

  constructor(source: AsyncIterator<T>, signal: AbortSignal) {
    this.#source = source;
    this.#signal = signal;
    signal.addEventListener("abort", this.#aborted, { once: true });
    if (signal.aborted) this.#aborted();
  }

  /** How long the source has been keeping us waiting, in ms; 0 while it is the reader who takes his time. */
  get waiting(): number {
    return this.#waitingSince === undefined ? 0 : performance.now() - this.#waitingSince;
  }

  next(): Promise<IteratorResult<T>> {
    if (this.#signal.aborted) return Promise.reject(this.#signal.reason);
    if (this.#left) return Promise.resolve({ done: true, value: undefined });
    this.#waitingSince = performance.now();
    return new Promise((resolve, reject) => {
      this.#reject = reject;
      // What a plugin throws once it was aborted says less than why it was aborted.
      this.#pull().then(resolve, (error: unknown) =>
        reject(this.#signal.aborted ? this.#signal.reason : error),
      );
    });
  }

  /** A plugin's own iterator may throw at once, or give no result at all: both are rejections here. */
  async #pull(): Promise<IteratorResult<T>> {
    try {
      const result = await this.#source.next();
      if (result.done) this.#forget();
      return result;
    } catch (error) {
      this.#forget();
      throw error;
    } finally {
      this.#waitingSince = undefined;
    }
  }

  return(): Promise<IteratorResult<T>> {
    this.#leave();
    return Promise.resolve({ done: true, value: undefined });
  }

  readonly #aborted = (): void => {
    this.#reject?.(this.#signal.reason);
    this.#leave();
  };

  #leave(): void {
    if (this.#left) return;
    this.#forget();
    // Not awaited: it settles only when the source's own wait does. Its errors interest nobody now.
    Promise.try(() => this.#source.return?.()).then(undefined, () => undefined);
  }

  #forget(): void {
    this.#left = true;
    this.#signal.removeEventListener("abort", this.#aborted);
  }
}
