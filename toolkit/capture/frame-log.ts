import type { Frame } from "./recording.ts";

/** Where recorders put what they saw, with the time since it began. */
export class FrameLog {
  readonly frames: Frame[] = [];
  /** Texts that were seen where only credentials are, as in an `authorization` header. */
  readonly secrets = new Set<string>();
  #began = performance.now();
  #latest = this.#began;
  #numbers = 0;

  /** Begins anew: drops the frames and keeps the secrets. */
  restart(): void {
    this.frames.length = 0;
    this.#began = performance.now();
  }

  /** The time at which something happens now, in milliseconds since it began. */
  now(): number {
    this.#latest = performance.now();
    return Math.round(this.#latest - this.#began);
  }

  /** A number for the next exchange or socket. */
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
