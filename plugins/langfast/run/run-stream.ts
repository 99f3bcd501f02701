import { BATCHES, ReusableDeferred } from "modelyard/plugin";
import type { Batches, ChatEvent, ChatStream, NextBatch } from "modelyard/plugin";
import type { Answer } from "./answer.ts";

/** A run that has begun. */
export interface OpenRun {
  readonly answer: Answer;
  /** Gives back all that the run holds. What it says of a failure is thrown in that one's place. */
  over(failure?: Failure): unknown;
}

/** Why a run ends that isn't over. */
export interface Failure {
  readonly error: unknown;
  /** Whether anything of the answer was given out before. */
  readonly hasSpoken: boolean;
}

/**
 * A run's answer as a stream, begun when it is first asked for. Events that come together are given together, and at
 * once where they are there: an iterator, because a generator costs each event several promises.
 */
export class RunStream implements ChatStream, Batches {
  readonly #open: () => Promise<OpenRun>;
  readonly #later = new ReusableDeferred<NextBatch>();
  #run: OpenRun | undefined;
  #hasSpoken = false;
  #isOver = false;

  /** `open` rejects if the run can't begin. */
  constructor(open: () => Promise<OpenRun>) {
    this.#open = open;
  }

  [BATCHES](): Batches {
    return this;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ChatEvent, void> {
    try {
      for (let next = await this.next(); !next.done; next = await this.next()) yield* next.value;
    } finally {
      await this.return();
    }
  }

  next(): NextBatch | Promise<NextBatch> | ReusableDeferred<NextBatch> {
    if (this.#isOver) return END;
    return this.#run ? this.#read(this.#run) : this.#begin();
  }

  return(): Promise<unknown> {
    this.#end();
    return Promise.resolve();
  }

  async #begin(): Promise<NextBatch> {
    try {
      this.#run = await this.#open();
    } catch (error) {
      this.#isOver = true;
      throw error;
    }
    // It may have been left since.
    if (this.#isOver) this.#run.over();
    return this.next();
  }

  #read({ answer }: OpenRun): NextBatch | ReusableDeferred<NextBatch> {
    try {
      for (;;) {
        const events = answer.next();
        if (!events) {
          answer.onChange(this.#changed);
          return this.#later;
        }
        if (answer.isOver) this.#end();
        if (events.length > 0) {
          this.#hasSpoken = true;
          return { done: false, value: events };
        }
        if (answer.isOver) return END;
      }
    } catch (error) {
      throw this.#end({ error, hasSpoken: this.#hasSpoken });
    }
  }

  readonly #changed = (): void => {
    if (!this.#run) return;
    let next: NextBatch | ReusableDeferred<NextBatch>;
    try {
      next = this.#isOver ? END : this.#read(this.#run);
    } catch (error) {
      return this.#later.reject(error);
    }
    if (!(next instanceof ReusableDeferred)) this.#later.resolve(next);
  };

  #end(failure?: Failure): unknown {
    if (this.#isOver) return failure?.error;
    this.#isOver = true;
    return this.#run?.over(failure);
  }
}

const END: NextBatch = { done: true, value: undefined };
