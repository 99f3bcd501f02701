/** How much a new measurement counts against all before it. */
const WEIGHT = 0.2;
/** A measurement this old says nothing any more: whoever was slow once is tried again, and not shunned for ever. */
const MEASUREMENT_TTL_MS = 60_000;

/** How busy and how quick one target is, as the strategies of routes see it. */
export class Load {
  #busy = 0;
  #firstEvent: number | undefined;
  #measuredAt = 0;

  /** Requests under way there. */
  get busy(): number {
    return this.#busy;
  }

  /** A moving average of the time to the first event, in ms; undefined where nothing was measured of late. */
  firstEvent(now: number): number | undefined {
    return now - this.#measuredAt < MEASUREMENT_TTL_MS ? this.#firstEvent : undefined;
  }

  start(): void {
    this.#busy += 1;
  }

  end(): void {
    this.#busy -= 1;
  }

  recordFirstEvent(ms: number, now: number): void {
    const before = this.firstEvent(now);
    this.#firstEvent = before === undefined ? ms : before + WEIGHT * (ms - before);
    this.#measuredAt = now;
  }
}
