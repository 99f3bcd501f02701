/** Slices per window. */
const SLICES = 10;

/** Counts events of the last `window` ms, to a tenth of the window, in constant memory. */
export class SlidingCount {
  readonly #slice: number;
  readonly #counts = Array.from({ length: SLICES + 1 }, () => 0);
  /** Number of the newest slice in `#counts`. */
  #latest = 0;

  constructor(window: number) {
    this.#slice = window / SLICES;
  }

  add(now: number): void {
    this.#advance(now);
    const index = this.#latest % this.#counts.length;
    this.#counts[index] = (this.#counts[index] ?? 0) + 1;
  }

  total(now: number): number {
    this.#advance(now);
    return this.#counts.reduce((sum, count) => sum + count, 0);
  }

  clear(): void {
    this.#counts.fill(0);
  }

  #advance(now: number): void {
    const slice = Math.floor(now / this.#slice);
    const passed = Math.min(slice - this.#latest, this.#counts.length);
    for (let step = 1; step <= passed; step++) this.#counts[(this.#latest + step) % this.#counts.length] = 0;
    if (passed > 0) this.#latest = slice;
  }
}
