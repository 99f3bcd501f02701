/** The time that counts, in ms. */
const WINDOW_MS = 1_000;

/** Asks a gateway for its health over and over, and so knows how long its event loop makes things wait. */
export class Pulse {
  #beats: { readonly at: number; readonly took: number }[] = [];
  #since = performance.now();
  #isStopped = false;

  constructor(url: string) {
    void this.#beat(`${url}/health/live`);
  }

  /** The longest wait of the last second, in ms, that of the request under way included. */
  stop(): number {
    this.#isStopped = true;
    const now = performance.now();
    const recent = this.#beats.filter(({ at }) => at > now - WINDOW_MS);
    return Math.max(now - this.#since, ...recent.map(({ took }) => took));
  }

  async #beat(url: string): Promise<void> {
    for (;;) {
      this.#since = performance.now();
      // The gateway may be gone by now, which is the end of it.
      const isAlive = await fetch(url).then(
        () => true,
        () => false,
      );
      if (this.#isStopped || !isAlive) return;
      const at = performance.now();
      this.#beats.push({ at, took: at - this.#since });
    }
  }
}
