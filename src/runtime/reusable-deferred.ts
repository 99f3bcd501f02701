/** Receives the outcome of a `ReusableDeferred`: exactly one of these is called, and must not throw. */
export interface Continuation<T> {
  onValue(value: T): void;
  onError(error: unknown): void;
}

/**
 * A promise-like value that is settled again and again, for one waiter at a time. Its waiter is called at once, without a
 * microtask. The plain way is a promise each: six for each event of a stream, with their turns in the queue.
 */
export class ReusableDeferred<T> implements PromiseLike<T> {
  #waiter: Continuation<T> | undefined;
  /** The outcome that no waiter has taken yet. */
  #outcome: { readonly value: T } | { readonly error: unknown } | undefined;

  /** Calls `waiter` once with the next outcome, at once if there is one. Throws if there is a waiter already. */
  wait(waiter: Continuation<T>): void {
    if (this.#waiter) throw new Error("a ReusableDeferred can have only one waiter");
    const outcome = this.#outcome;
    this.#outcome = undefined;
    if (!outcome) this.#waiter = waiter;
    else if ("value" in outcome) waiter.onValue(outcome.value);
    else waiter.onError(outcome.error);
  }

  /** Gives a value to the waiter, or to the next one. */
  resolve(value: T): void {
    const waiter = this.#waiter;
    // Cleared first: the waiter may wait again while it is called.
    this.#waiter = undefined;
    if (waiter) waiter.onValue(value);
    else this.#outcome = { value };
  }

  /** Gives an error to the waiter, or to the next one. */
  reject(error: unknown): void {
    const waiter = this.#waiter;
    this.#waiter = undefined;
    if (waiter) waiter.onError(error);
    else this.#outcome = { error };
  }

  // oxlint-disable-next-line unicorn/no-thenable -- so that it can be awaited like a promise
  then<A = T, B = never>(
    onValue?: ((value: T) => A | PromiseLike<A>) | null,
    onError?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return new Promise<T>((resolve, reject) => this.wait({ onValue: resolve, onError: reject })).then(
      onValue,
      onError,
    );
  }
}

/** Returns whether a value has to be awaited. */
export function isPending<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  if (value instanceof ReusableDeferred || value instanceof Promise) return true;
  return typeof (value as { readonly then?: unknown } | null | undefined)?.then === "function";
}

/** Calls `waiter` once with the outcome, at once where it is available. */
export function subscribeOnce<T>(pending: PromiseLike<T>, waiter: Continuation<T>): void {
  if (pending instanceof ReusableDeferred) return pending.wait(waiter);
  pending.then(
    (value) => waiter.onValue(value),
    (error: unknown) => waiter.onError(error),
  );
}
