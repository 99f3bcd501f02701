import { BATCHES } from "../contract/index.ts";
import type { ChatEvent, ChatStream } from "../contract/index.ts";
import type { ByteBuffer } from "./byte-buffer.ts";

/** A response body that is read piece by piece, and can be left at any time. */
export class Body {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  #left = false;

  constructor(stream: ReadableStream<Uint8Array> | null) {
    this.#reader = stream?.getReader();
  }

  /** True once `leave` was called: the end of the body then says nothing about the answer. */
  get left(): boolean {
    return this.#left;
  }

  /** The next piece; undefined at the end. Rejects when the connection breaks. */
  async read(): Promise<Uint8Array | undefined> {
    return (await this.next()).value;
  }

  /** The same as the reader itself gives it, without a promise of its own. */
  next(): Promise<{ readonly value?: Uint8Array | undefined }> {
    return this.#reader ? this.#reader.read() : Promise.resolve({});
  }

  /** Cancels the body, which closes its connection and ends a read that waits. Never rejects. */
  async leave(): Promise<void> {
    this.#left = true;
    // Cancelling a body that has already failed rejects with that failure, which its reader has seen.
    await this.#reader?.cancel().catch(() => undefined);
  }

  /** Appends what is left to `buffer`, until it holds more than `maxBytes`. */
  async readInto(buffer: ByteBuffer, maxBytes: number): Promise<void> {
    while (buffer.length <= maxBytes) {
      const piece = await this.read();
      if (!piece) return;
      buffer.append(piece);
    }
  }
}

/**
 * Iterates over `items`, which read from `body`. Whoever leaves the iteration cancels the body at once, even
 * while the next item is awaited: a generator alone would go on waiting.
 */
export function readingFrom<T>(body: Body, items: AsyncGenerator<T, void>): AsyncIterableIterator<T, void> {
  return {
    next: () => items.next(),
    async return() {
      await body.leave();
      return items.return();
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

/** Reads an answer from a body, batch by batch. */
export interface BatchIterator {
  readonly body: Body;
  next(): Promise<IteratorResult<readonly ChatEvent[], void>>;
}

/** An answer as single events, or in the batches in which it arrived. Whoever leaves it cancels the body. */
export function answerFrom(batches: BatchIterator): ChatStream {
  const { body } = batches;
  const leavable: AsyncIterableIterator<readonly ChatEvent[], void> = {
    next: () => batches.next(),
    async return() {
      await body.leave();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]: () => leavable,
  };
  return {
    [BATCHES]: () => leavable,
    [Symbol.asyncIterator]: () => readingFrom(body, singly(leavable)),
  };
}

async function* singly(batches: AsyncIterable<readonly ChatEvent[]>): AsyncGenerator<ChatEvent, void> {
  for await (const batch of batches) yield* batch;
}
