/** How much a new measurement counts against all before it. */
const WEIGHT = 0.2;
/** A measurement this old says nothing any more: whoever was slow once is tried again, and not shunned for ever. */
const LASTS_MS = 60_000;

/** How busy and how quick one target is, as the strategies of routes see it. */
export class Load {
  #busy = 0;
  #firstEvent: number | undefined;
  #measured = 0;

  /** Requests under way there. */
  get busy(): number {
    return this.#busy;
  }

  /** A moving average of the time to the first event, in ms; undefined where nothing was measured of late. */
  firstEvent(now: number): number | undefined {
    return now - this.#measured < LASTS_MS ? this.#firstEvent : undefined;
  }

  began(): void {
    this.#busy += 1;
  }

  ended(): void {
    this.#busy -= 1;
  }

  answeredAfter(ms: number, now: number): void {
    const before = this.firstEvent(now);
    this.#firstEvent = before === undefined ? ms : before + WEIGHT * (ms - before);
    this.#measured = now;
  }
}
