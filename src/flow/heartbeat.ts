/**
 * Calls `beat` whenever nothing was noted for `interval` ms. The timer is moved on lazily: an event notes
 * only the time, and a timer that fires early waits for what is left; so a busy stream sets one timer an
 * interval and not one an event.
 */
export class Heartbeat implements Disposable {
  readonly #interval: number;
  readonly #beat: () => void;
  #last = performance.now();
  #timer: ReturnType<typeof setTimeout>;

  constructor(interval: number, beat: () => void) {
    this.#interval = interval;
    this.#beat = beat;
    this.#timer = setTimeout(this.#fired, interval);
  }

  /** Something was sent just now. */
  note(): void {
    this.#last = performance.now();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }

  readonly #fired = (): void => {
    const left = this.#last + this.#interval - performance.now();
    if (left < 1) {
      this.note();
      this.#beat();
    }
    this.#timer = setTimeout(this.#fired, left < 1 ? this.#interval : left);
  };
}
