import type { Batches, ChatEvent } from "../../contract/index.ts";
import type { ByteBuffer } from "./byte-buffer.ts";
import type { ActivityListener, ByteSource } from "./byte-source.ts";
import { activityListenerOf, byteSourceOf } from "./byte-source.ts";

/** A response body that is read piece by piece, and can be left at any time. */
export class Body {
  readonly #pieces: ByteSource | undefined;
  // Only these: with and without DOM's types, a reader has other members.
  readonly #reader: Pick<ReadableStreamDefaultReader<Uint8Array>, "read" | "cancel"> | undefined;
  readonly #call: ActivityListener | undefined;
  #hasRead = false;
  #left = false;

  constructor(source: Response | ReadableStream<Uint8Array> | null) {
    this.#pieces = source ? byteSourceOf(source) : undefined;
    const from = this.#pieces ?? source;
    this.#call = from ? activityListenerOf(from) : undefined;
    if (this.#pieces) return;
    const stream = source instanceof Response ? source.body : source;
    this.#reader = stream?.getReader();
  }

  /** True once `leave` was called: the end of the body then says nothing about the answer. */
  get isCancelled(): boolean {
    return this.#left;
  }

  /** The next piece; undefined at the end. Rejects when the connection breaks. */
  async read(): Promise<Uint8Array | undefined> {
    return this.next();
  }

  /** The same, at once where the piece is there already; then it throws instead of rejecting. */
  next(): Uint8Array | undefined | PromiseLike<Uint8Array | undefined> {
    // Who asks for another piece has had one.
    if (this.#hasRead) this.#call?.alive?.();
    this.#hasRead = true;
    if (this.#pieces) return this.#pieces.next();
    return this.#reader?.read().then(valueOf);
  }

  /** Cancels the body, which closes its connection and ends a read that waits. Never rejects. */
  async cancel(): Promise<void> {
    this.#left = true;
    this.#pieces?.cancel();
    // Cancelling a body that has already failed rejects with that failure, which its reader has seen.
    await this.#reader?.cancel().catch(() => undefined);
  }

  /** What comes still is of no interest: the connection may serve somebody else once it has come. */
  drain(): void {
    if (!this.#pieces) return void this.cancel();
    this.#left = true;
    this.#pieces.drain();
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

function valueOf({ value }: { readonly value?: Uint8Array | undefined }): Uint8Array | undefined {
  return value;
}

/**
 * Iterates over `items`, which read from `body`. Whoever leaves the iteration cancels the body at once, even
 * while the next item is awaited: a generator alone would go on waiting.
 */
export function cancellingIterator<T>(
  body: Body,
  items: AsyncGenerator<T, void>,
): AsyncIterableIterator<T, void> {
  return {
    next: () => items.next(),
    async return() {
      await body.cancel();
      return items.return();
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

/** The events of batches that are read from `body`, one by one. Whoever leaves the iteration cancels the body. */
export function eventsOf(batches: Batches, body: Body): AsyncIterableIterator<ChatEvent, void> {
  return cancellingIterator(body, flatten(batches, body));
}

async function* flatten(batches: Batches, body: Body): AsyncGenerator<ChatEvent, void> {
  try {
    for (let next = await batches.next(); !next.done; next = await batches.next()) yield* next.value;
  } finally {
    await body.cancel();
  }
}
