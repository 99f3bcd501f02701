/** How much a new measurement counts against all before it. */
const WEIGHT = 0.2;

/** How busy and how quick one target is, as the strategies of routes see it. */
export class Load {
  #busy = 0;
  #firstEvent: number | undefined;

  /** Requests under way there. */
  get busy(): number {
    return this.#busy;
  }

  /** A moving average of the time to the first event, in ms; undefined before the first. */
  get firstEvent(): number | undefined {
    return this.#firstEvent;
  }

  began(): void {
    this.#busy += 1;
  }

  ended(): void {
    this.#busy -= 1;
  }

  answeredAfter(ms: number): void {
    this.#firstEvent =
      this.#firstEvent === undefined ? ms : this.#firstEvent + WEIGHT * (ms - this.#firstEvent);
  }
}
