import type { ChatEvent, ChatStream } from "../contract/index.ts";
import { BATCHES } from "../contract/index.ts";

/** A stream's events, those together that it says arrived together. */
export function batchesOf(stream: ChatStream): AsyncIterator<readonly ChatEvent[]> {
  return stream[BATCHES]?.() ?? new Singles(stream[Symbol.asyncIterator]());
}

/** Each event by itself. */
class Singles implements AsyncIterator<readonly ChatEvent[]> {
  readonly #events: AsyncIterator<ChatEvent>;

  constructor(events: AsyncIterator<ChatEvent>) {
    this.#events = events;
  }

  async next(): Promise<IteratorResult<readonly ChatEvent[]>> {
    const next = await this.#events.next();
    return next.done ? { done: true, value: undefined } : { done: false, value: [next.value] };
  }

  async return(): Promise<IteratorResult<readonly ChatEvent[]>> {
    await this.#events.return?.();
    return { done: true, value: undefined };
  }
}
