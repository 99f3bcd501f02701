/** Who waits for something: told of one of these, which must not throw. */
export interface Continuation<T> {
  onValue(value: T): void;
  onError(error: unknown): void;
}

/** What is not there yet. */
export type Pending<T> = Promise<T> | ReusableDeferred<T>;

/**
 * What comes later, told to the one who waits for it the moment it is there. It can be awaited like a promise, and
 * unlike one be used again for what comes after that: of each piece of a stream a promise makes several objects, and
 * has it wait for its turn in the queue of microtasks.
 */
export class ReusableDeferred<T> implements PromiseLike<T> {
  #waiter: Continuation<T> | undefined;
  /** What was told before anybody waited for it. */
  #told: { readonly value: T } | { readonly error: unknown } | undefined;

  /** Has it told once, at once if it is there already. Only one may wait at a time. */
  wait(waiter: Continuation<T>): void {
    const told = this.#told;
    this.#told = undefined;
    if (!told) this.#waiter = waiter;
    else if ("value" in told) waiter.onValue(told.value);
    else waiter.onError(told.error);
  }

  /** Tells it to who waits, or else to the next who does. */
  resolve(value: T): void {
    const waiter = this.#waiter;
    // Before it is told: whoever is may wait again.
    this.#waiter = undefined;
    if (waiter) waiter.onValue(value);
    else this.#told = { value };
  }

  /** The same for the failure that came in its place. */
  reject(error: unknown): void {
    const waiter = this.#waiter;
    this.#waiter = undefined;
    if (waiter) waiter.onError(error);
    else this.#told = { error };
  }

  // oxlint-disable-next-line unicorn/no-thenable -- so that what gives one can be awaited like what gives a promise
  then<A = T, B = never>(
    came?: ((value: T) => A | PromiseLike<A>) | null,
    broke?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return new Promise<T>((resolve, reject) => this.wait({ onValue: resolve, onError: reject })).then(
      came,
      broke,
    );
  }
}

/** Whether it has to be waited for. */
export function isPending<T>(value: T | Pending<T>): value is Pending<T> {
  return value instanceof ReusableDeferred || value instanceof Promise;
}

/** Has it told once, as soon as it is there. */
export function subscribeOnce<T>(coming: Pending<T>, waiter: Continuation<T>): void {
  if (coming instanceof ReusableDeferred) return coming.wait(waiter);
  coming.then(
    (value) => waiter.onValue(value),
    (error: unknown) => waiter.onError(error),
  );
}
