import { spreadOf } from "../statistics.ts";
import type { AnswerCheck } from "./answer-check.ts";
import type { Outcome } from "./job.ts";

const EXAMPLES = 3;

/** Counts and times of answers, while they come in. */
export class Tally {
  #complete = 0;
  #failed = 0;
  #open = 0;
  #mostOpen = 0;
  readonly #failures: string[] = [];
  readonly #first: number[] = [];
  readonly #whole: number[] = [];
  readonly #gaps: number[] = [];

  /** Counts a stream whose first text has come as open. */
  began(): void {
    this.#open++;
    this.#mostOpen = Math.max(this.#mostOpen, this.#open);
  }

  /** Counts it as open no longer. */
  ended(): void {
    this.#open--;
  }

  /** Counts an answer that was asked for at `askedAt` and has ended well. */
  completed(check: AnswerCheck, askedAt: number): void {
    this.#complete++;
    this.#whole.push(performance.now() - askedAt);
    if (check.firstAt !== undefined) this.#first.push(check.firstAt - askedAt);
    for (const gap of check.gaps) this.#gaps.push(gap);
  }

  failed(error: unknown): void {
    this.#failed++;
    if (this.#failures.length < EXAMPLES) this.#failures.push(error instanceof Error ? error.message : "?");
  }

  get outcome(): Outcome {
    return {
      complete: this.#complete,
      failed: this.#failed,
      open: this.#mostOpen,
      failures: this.#failures,
      first: spreadOf(this.#first),
      gap: spreadOf(this.#gaps),
      whole: spreadOf(this.#whole),
    };
  }
}
