/** Time after which a turn yields to timers and sockets, in ms. */
const TURN_MS = 5;

/**
 * Collects the items that arrive in one turn of the event loop and visits them together at its end. The plain way is to
 * visit each at once: then each write wakes another process, and code leaves the processor's caches before it runs
 * again (plain request 160 µs instead of 100). No timer is waited for. What takes longer than `TURN_MS` goes on in the
 * next turn, in the same order.
 */
export class TickBatcher<T> {
  readonly #visit: (item: T) => void;
  readonly #most: number;
  #items: T[] = [];
  /** Those that had no time in the last turn. */
  #left: T[] = [];
  #isDue = false;

  /** `visit` must not throw. Where it only begins what goes on behind this turn, `most` bounds how many it visits. */
  constructor(visit: (item: T) => void, most = Infinity) {
    this.#visit = visit;
    this.#most = most;
  }

  /** Has the item visited when all that has arrived is read, after those that were added before it. */
  add(item: T): void {
    this.#items.push(item);
    this.#goLater();
  }

  #goLater(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    setImmediate(this.#go);
  }

  readonly #go = (): void => {
    this.#isDue = false;
    const items = this.#left.length > 0 ? this.#left.concat(this.#items) : this.#items;
    this.#left = [];
    this.#items = [];
    const end = performance.now() + TURN_MS;
    let done = 0;
    while (done < items.length) {
      this.#visit(items[done++] as T);
      if (done === this.#most || performance.now() > end) break;
    }
    if (done === items.length) return;
    this.#left = items.slice(done);
    this.#goLater();
  };
}
