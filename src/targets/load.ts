/** Weight of a new measurement in the moving average. */
const WEIGHT = 0.2;
/** Age at which a measurement expires, so that a target that was slow once is tried again. */
const MEASUREMENT_TTL_MS = 60_000;

/** Measures the concurrency and latency of one target for the routing strategies. */
export class Load {
  #busy = 0;
  #firstEvent: number | undefined;
  #measuredAt = 0;

  /** Running requests. */
  get busy(): number {
    return this.#busy;
  }

  /** Returns the moving average of the time to the first event, in ms; undefined without a recent measurement. */
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
