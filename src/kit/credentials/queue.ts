import type { LeaseOptions } from "./types.ts";

const NOTHING: ReadonlySet<string> = new Set();

/** Somebody who waits for `T`. */
export interface Waiter<T> {
  readonly exclusive: boolean;
  /** Ids of what they don't want. */
  readonly except: ReadonlySet<string>;
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (reason: unknown) => void;
}

/** Those who wait, in the order in which they came. Who leaves is out at once. */
export class Queue<T> {
  readonly #waiters = new Set<Waiter<T>>();

  get size(): number {
    return this.#waiters.size;
  }

  [Symbol.iterator](): Iterator<Waiter<T>> {
    return this.#waiters.values();
  }

  /** True while somebody still waits. */
  has(waiter: Waiter<T>): boolean {
    return this.#waiters.has(waiter);
  }

  join({ exclusive = false, except = NOTHING }: LeaseOptions): Waiter<T> {
    const waiter = { exclusive, except, ...Promise.withResolvers<T>() };
    this.#waiters.add(waiter);
    return waiter;
  }

  /** Gives somebody what they waited for. */
  serve(waiter: Waiter<T>, value: T): void {
    this.#waiters.delete(waiter);
    waiter.resolve(value);
  }

  /** Sends somebody away, if they still wait. */
  dismiss(waiter: Waiter<T>, reason: unknown): void {
    this.#waiters.delete(waiter);
    waiter.reject(reason);
  }
}
