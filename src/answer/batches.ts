import type { Batches, ChatEvent, ChatStream, NextBatch } from "../contract/index.ts";

/** A stream's events, those together that it says arrived together. */
export function batchesOf(stream: ChatStream): Batches {
  return stream.batches?.() ?? new Singles(stream[Symbol.asyncIterator]());
}

/** Each event by itself. */
class Singles implements Batches {
  readonly #events: AsyncIterator<ChatEvent>;

  constructor(events: AsyncIterator<ChatEvent>) {
    this.#events = events;
  }

  next(): Promise<NextBatch> {
    // A plugin's own iterator may give no promise at all.
    return Promise.resolve(this.#events.next()).then(batchOf);
  }

  async return(): Promise<unknown> {
    return this.#events.return?.();
  }
}

function batchOf(next: IteratorResult<ChatEvent>): NextBatch {
  if (typeof next !== "object" || next === null) throw new TypeError("next() returned no iterator result");
  return next.done ? END_OF_BATCHES : { done: false, value: [next.value] };
}

/** The end of an answer. */
export const END_OF_BATCHES: NextBatch = { done: true, value: undefined };
