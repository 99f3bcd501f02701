/**
 * Gathers what arrives in one turn of the event loop, and has it gone on with together behind it.
 *
 * Whoever reads from one socket, does all the work, writes to another, and only then turns to the next socket wakes
 * a sleeping process for each write, and has the processor fetch all of the code anew for each request. What goes on
 * together does each step for all of them. It delays nothing: no time is waited, only what is there is read first.
 */
export class Gathering<T> {
  readonly #visit: (item: T) => void;
  #items: T[] = [];

  /** `visit` must not throw. */
  constructor(visit: (item: T) => void) {
    this.#visit = visit;
  }

  /** Has the item visited when all that has arrived is read, after those that were added before it. */
  add(item: T): void {
    if (this.#items.push(item) === 1) setImmediate(this.#go);
  }

  readonly #go = (): void => {
    const items = this.#items;
    this.#items = [];
    for (const item of items) this.#visit(item);
  };
}
