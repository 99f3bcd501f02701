/** Who is to give a sign of life. */
interface Beating {
  beat(): void;
}

/**
 * Calls `beat` whenever nothing was noted for `interval` ms. The timer is moved on lazily: an event notes
 * only the time, and a timer that fires early waits for what is left; so a busy stream sets one timer an
 * interval and not one an event.
 */
export class Heartbeat implements Disposable {
  readonly #interval: number;
  readonly #owner: Beating;
  #last = performance.now();
  #timer: ReturnType<typeof setTimeout>;

  constructor(interval: number, owner: Beating) {
    this.#interval = interval;
    this.#owner = owner;
    this.#timer = setTimeout(fire, interval, this);
  }

  /** Something was sent just now. */
  note(): void {
    this.#last = performance.now();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }

  /** Of the timer. */
  fired(): void {
    const left = this.#last + this.#interval - performance.now();
    if (left < 1) {
      this.note();
      this.#owner.beat();
    }
    this.#timer = setTimeout(fire, left < 1 ? this.#interval : left, this);
  }
}

/** Of all hearts: there is one for each open stream. */
function fire(heart: Heartbeat): void {
  heart.fired();
}
