/** What is not there yet. */
export type Coming<T> = Promise<T> | Later<T>;

/**
 * What comes later, told to the one who waits for it the moment it is there. It can be awaited like a promise, and
 * unlike one be used again for what comes after that: of each piece of a stream a promise makes several objects, and
 * has it wait for its turn in the queue of microtasks.
 */
export class Later<T> implements PromiseLike<T> {
  #came: ((value: T) => void) | undefined;
  #broke: ((error: unknown) => void) | undefined;
  /** What was told before anybody waited for it. */
  #told: { readonly value: T } | { readonly error: unknown } | undefined;

  /** Has one of these called once, at once if it is there already. They must not throw. Only one may wait at a time. */
  wait(came: (value: T) => void, broke: (error: unknown) => void): void {
    const told = this.#told;
    this.#told = undefined;
    if (!told) {
      this.#came = came;
      this.#broke = broke;
    } else if ("value" in told) came(told.value);
    else broke(told.error);
  }

  /** Tells it to who waits, or else to the next who does. */
  resolve(value: T): void {
    const came = this.#came;
    // Before it is told: whoever is may wait again.
    this.#came = undefined;
    if (came) came(value);
    else this.#told = { value };
  }

  /** The same for the failure that came in its place. */
  reject(error: unknown): void {
    const broke = this.#came && this.#broke;
    this.#came = undefined;
    if (broke) broke(error);
    else this.#told = { error };
  }

  // oxlint-disable-next-line unicorn/no-thenable -- so that what gives one can be awaited like what gives a promise
  then<A = T, B = never>(
    came?: ((value: T) => A | PromiseLike<A>) | null,
    broke?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return new Promise<T>((resolve, reject) => this.wait(resolve, reject)).then(came, broke);
  }
}

/** Whether it has to be waited for. */
export function isComing<T>(value: T | Coming<T>): value is Coming<T> {
  return value instanceof Later || value instanceof Promise;
}

/** Has one of these called once, as soon as it is there. They must not throw. */
export function whenThere<T>(
  coming: Coming<T>,
  came: (value: T) => void,
  broke: (error: unknown) => void,
): void {
  if (coming instanceof Later) coming.wait(came, broke);
  else coming.then(came, broke);
}
