/** How long one turn goes on with what was gathered, in ms, before others have theirs: timers, and what arrives. */
const TURN_MS = 5;

/**
 * Gathers what arrives in one turn of the event loop, and has it gone on with together behind it.
 *
 * Whoever reads from one socket, does all the work, writes to another, and only then turns to the next socket wakes
 * a sleeping process for each write, and has the processor fetch all of the code anew for each request. What goes on
 * together does each step for all of them. It delays nothing: no time is waited, only what is there is read first. What
 * would take longer than a short time goes on in the next turn, in the same order, behind what has arrived meanwhile.
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
