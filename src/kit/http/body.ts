import type { Batches, ChatEvent } from "../../contract/index.ts";
import type { ByteBuffer } from "./byte-buffer.ts";
import type { ActivityListener, ByteSource } from "../../runtime/byte-source.ts";
import { activityListenerOf, byteSourceOf } from "../../runtime/byte-source.ts";

/** Reads a response body chunk by chunk; it can be cancelled at any time. */
export class Body {
  readonly #source: ByteSource | undefined;
  // Only these members are the same with and without DOM types.
  readonly #reader: Pick<ReadableStreamDefaultReader<Uint8Array>, "read" | "cancel"> | undefined;
  readonly #call: ActivityListener | undefined;
  #hasRead = false;
  #left = false;

  constructor(source: Response | ReadableStream<Uint8Array> | null) {
    this.#source = source ? byteSourceOf(source) : undefined;
    const from = this.#source ?? source;
    this.#call = from ? activityListenerOf(from) : undefined;
    if (this.#source) return;
    const stream = source instanceof Response ? source.body : source;
    this.#reader = stream?.getReader();
  }

  /** True after `cancel` or `drain`: the end of the body then says nothing about the answer. */
  get isCancelled(): boolean {
    return this.#left;
  }

  /** Resolves to the next chunk, or undefined at the end. Rejects when the connection breaks. */
  async read(): Promise<Uint8Array | undefined> {
    return this.next();
  }

  /** Returns what `read` resolves to, at once where it has arrived; then it throws instead of rejecting. */
  next(): Uint8Array | undefined | PromiseLike<Uint8Array | undefined> {
    // A read after the first means that a chunk has arrived.
    if (this.#hasRead) this.#call?.alive?.();
    this.#hasRead = true;
    if (this.#source) return this.#source.next();
    return this.#reader?.read().then(valueOf);
  }

  /** Cancels the body, which closes its connection and ends a pending read. Never rejects. */
  async cancel(): Promise<void> {
    this.#left = true;
    this.#source?.cancel();
    // Cancelling a failed body rejects with the error that its reader has already seen.
    await this.#reader?.cancel().catch(() => undefined);
  }

  /** Discards the rest, so that the connection can be reused once it has arrived. */
  drain(): void {
    if (!this.#source) return void this.cancel();
    this.#left = true;
    this.#source.drain();
  }

  /** Appends the rest of the body to `buffer`, until it holds more than `maxBytes`. */
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
 * Iterates over `items`, which read from `body`. Leaving the iteration cancels the body at once, even while the next
 * item is pending: a generator alone would go on waiting.
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

/** Iterates over the events of batches that are read from `body`. Leaving the iteration cancels the body. */
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
