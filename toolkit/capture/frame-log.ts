import type { Frame } from "./recording.ts";

/** Collects recorded frames and their times. */
export class FrameLog {
  readonly frames: Frame[] = [];
  /** Texts from places that hold credentials, such as an `authorization` header. */
  readonly secrets = new Set<string>();
  #began = performance.now();
  #latest = this.#began;
  #numbers = 0;

  /** Drops the frames, keeps the secrets, and restarts the clock. */
  restart(): void {
    this.frames.length = 0;
    this.#began = performance.now();
  }

  /** Returns the milliseconds since the start, and marks activity for `waitForQuiet`. */
  now(): number {
    this.#latest = performance.now();
    return Math.round(this.#latest - this.#began);
  }

  /** Returns a number for the next exchange or socket. */
  nextId(): number {
    this.#numbers += 1;
    return this.#numbers;
  }

  /** Resolves when nothing has happened for `quiet` ms, or after `longest` ms. */
  async waitForQuiet(quiet: number, longest: number): Promise<void> {
    const end = performance.now() + longest;
    this.#latest = performance.now();
    for (;;) {
      const now = performance.now();
      const left = Math.min(this.#latest + quiet, end) - now;
      if (left <= 0) return;
      await Bun.sleep(left);
    }
  }
}
