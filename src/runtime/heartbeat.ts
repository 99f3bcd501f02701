/** Sends keep-alive frames while a stream is silent. */
interface HeartbeatOwner {
  beat(): void;
}

/**
 * Calls `beat` whenever nothing was noted for `interval` ms. An event notes only the time, and a timer that fires early
 * waits for the rest: so a busy stream sets one timer an interval. The plain way sets one an event.
 */
export class Heartbeat implements Disposable {
  readonly #interval: number;
  readonly #owner: HeartbeatOwner;
  #last = performance.now();
  #timer: ReturnType<typeof setTimeout>;

  constructor(interval: number, owner: HeartbeatOwner) {
    this.#interval = interval;
    this.#owner = owner;
    this.#timer = setTimeout(fire, interval, this);
  }

  /** Notes that something was sent. */
  note(): void {
    this.#last = performance.now();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }

  /** Called by the timer. */
  fired(): void {
    const left = this.#last + this.#interval - performance.now();
    if (left < 1) {
      this.note();
      this.#owner.beat();
    }
    this.#timer = setTimeout(fire, left < 1 ? this.#interval : left, this);
  }
}

/** One function for all streams: a closure each would cost memory. */
function fire(heart: Heartbeat): void {
  heart.fired();
}
