/** What runs in the background, so that it can be waited for at the end. */
export class Jobs {
  readonly #running = new Set<Promise<void>>();

  /** Runs a job that never rejects. */
  run(job: Promise<unknown>): void {
    const tracked = job.then(() => {
      this.#running.delete(tracked);
    });
    this.#running.add(tracked);
  }

  /** Resolves when nothing runs any more, what began meanwhile included. */
  async finished(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }
}
