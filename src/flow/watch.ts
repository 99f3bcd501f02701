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
  #resolve: ((result: IteratorResult<T>) => void) | undefined;
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
    const { promise, resolve, reject } = Promise.withResolvers<IteratorResult<T>>();
    this.#resolve = resolve;
    this.#reject = reject;
    try {
      // A plugin's own iterator may give no promise at all.
      Promise.resolve(this.#source.next()).then(this.#arrived, this.#failed);
    } catch (error) {
      this.#failed(error);
    }
    return promise;
  }

  readonly #arrived = (result: IteratorResult<T>): void => {
    this.#waitingSince = undefined;
    if (typeof result !== "object" || result === null) {
      return this.#failed(new TypeError("what came from next() is no iterator result"));
    }
    if (result.done) this.#forget();
    this.#resolve?.(result);
  };

  readonly #failed = (error: unknown): void => {
    this.#waitingSince = undefined;
    this.#forget();
    // What a plugin throws once it was aborted says less than why it was aborted.
    this.#reject?.(this.#signal.aborted ? this.#signal.reason : error);
  };

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
