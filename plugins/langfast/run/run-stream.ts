import type { Batches, ChatEvent, ChatStream, NextBatch } from "modelyard/plugin";
import type { AnswerReader } from "./answer.ts";

/** A run that was started. */
export interface OpenRun {
  readonly answer: AnswerReader;
  /** Releases the run's lease and socket. Returns the error to throw in place of the failure's. */
  release(failure?: RunFailure): unknown;
}

/** The error that ended a run before its end. */
export interface RunFailure {
  readonly error: unknown;
  /** Whether a part of the answer was delivered before. */
  readonly hasDelivered: boolean;
}

/**
 * A run's answer as a stream, started by the first `next`. Events that arrive together form one batch, returned without
 * a promise if it is ready: a generator would cost several promises per event.
 */
export class RunStream implements ChatStream, Batches {
  readonly #open: () => Promise<OpenRun>;
  /** Set while the reader waits. */
  #waiting: PromiseWithResolvers<NextBatch> | undefined;
  #run: OpenRun | undefined;
  #hasDelivered = false;
  #isOver = false;

  /** `open` starts the run; it rejects if the run can't be started. */
  constructor(open: () => Promise<OpenRun>) {
    this.#open = open;
  }

  batches(): Batches {
    return this;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ChatEvent, void> {
    try {
      for (let next = await this.next(); !next.done; next = await this.next()) yield* next.value;
    } finally {
      await this.return();
    }
  }

  next(): NextBatch | Promise<NextBatch> {
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
    // The stream may have been closed meanwhile.
    if (this.#isOver) this.#run.release();
    return this.next();
  }

  #read({ answer }: OpenRun): NextBatch | Promise<NextBatch> {
    try {
      for (;;) {
        const events = answer.next();
        if (!events) {
          answer.onChange(this.#onChange);
          this.#waiting ??= Promise.withResolvers();
          return this.#waiting.promise;
        }
        if (answer.isOver) this.#end();
        if (events.length > 0) {
          this.#hasDelivered = true;
          return { done: false, value: events };
        }
        if (answer.isOver) return END;
      }
    } catch (error) {
      throw this.#end({ error, hasDelivered: this.#hasDelivered });
    }
  }

  readonly #onChange = (): void => {
    const waiting = this.#waiting;
    if (!this.#run || !waiting) return;
    let next: NextBatch | Promise<NextBatch>;
    try {
      next = this.#isOver ? END : this.#read(this.#run);
    } catch (error) {
      this.#waiting = undefined;
      return waiting.reject(error);
    }
    if (next === waiting.promise) return;
    this.#waiting = undefined;
    waiting.resolve(next);
  };

  #end(failure?: RunFailure): unknown {
    if (this.#isOver) return failure?.error;
    this.#isOver = true;
    return this.#run?.release(failure);
  }
}

const END: NextBatch = { done: true, value: undefined };
