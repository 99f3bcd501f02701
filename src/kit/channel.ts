import { UpstreamError } from "../contract/index.ts";

export interface ChannelOptions<T> {
  /** The number of values that may be buffered. */
  readonly maxItems: number;
  /** The total of `sizeOf` that may be buffered; unlimited unless set. */
  readonly maxSize?: number;
  /** Returns the size of a value, in the unit of `maxSize`. */
  readonly sizeOf?: (value: T) => number;
  /** If it aborts before the writer has ended, the buffer is dropped and the reader gets its reason. */
  readonly signal?: AbortSignal;
  /** Called once when the channel is cancelled, full or aborted before the writer has ended: stop producing values. */
  readonly onCancel?: () => void;
}

/**
 * A bounded queue between code that pushes (a socket's events) and one reader that pulls. Values are read in order,
 * then the error or the end. When the bounds are exceeded, the reader gets the buffered values and then `UpstreamError`
 * `bad-response`.
 */
export class Channel<T> implements AsyncIterable<T>, Disposable {
  readonly #options: ChannelOptions<T>;
  #buffer: T[] = [];
  #head = 0;
  #size = 0;
  #ending: Ending | undefined;
  #waiting: PromiseWithResolvers<IteratorResult<T, void>> | undefined;
  #hasReader = false;

  constructor(options: ChannelOptions<T>) {
    this.#options = options;
    if (options.signal?.aborted) this.#abort();
    else options.signal?.addEventListener("abort", this.#abort, { once: true });
  }

  /** The number of buffered values. */
  get buffered(): number {
    return this.#buffer.length - this.#head;
  }

  /** Adds a value. Returns false if the channel has ended, is full or was cancelled. */
  push(value: T): boolean {
    if (this.#ending) return false;
    if (this.#waiting) {
      this.#settleWaiting((waiting) => waiting.resolve({ done: false, value }));
      return true;
    }
    const { maxItems, maxSize = Infinity, sizeOf } = this.#options;
    const size = sizeOf?.(value) ?? 0;
    if (this.buffered >= maxItems || this.#size + size > maxSize) {
      this.#end({ error: new UpstreamError("bad-response", "the upstream sent more than could be taken") });
      this.#options.onCancel?.();
      return false;
    }
    this.#size += size;
    this.#buffer.push(value);
    return true;
  }

  /** Ends the channel with an error, which the reader gets after the buffered values. Later calls do nothing. */
  fail(error: unknown): void {
    this.#end({ error });
  }

  /** Ends the channel without an error. Later calls do nothing. */
  end(): void {
    this.#end({});
  }

  /** Cancels the channel as its reader would: the buffer is dropped, and `onCancel` runs. */
  [Symbol.dispose](): void {
    this.#cancel({});
  }

  /** Returns the only iterator; throws when called again. */
  [Symbol.asyncIterator](): AsyncIterableIterator<T, void> {
    if (this.#hasReader) throw new Error("a channel has one reader");
    this.#hasReader = true;
    return {
      next: () => this.#next(),
      return: async () => {
        this.#cancel({});
        return DONE;
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  readonly #abort = (): void => this.#cancel({ error: this.#options.signal?.reason });

  #next(): Promise<IteratorResult<T, void>> {
    if (this.#waiting) return Promise.reject(new Error("a channel's reader waits for one value at a time"));
    if (this.buffered > 0) return Promise.resolve({ done: false, value: this.#shift() });
    if (this.#ending) return this.#giveEnding(this.#ending);
    this.#waiting = Promise.withResolvers();
    return this.#waiting.promise;
  }

  #shift(): T {
    const value = this.#buffer[this.#head] as T;
    this.#head++;
    this.#size -= this.#options.sizeOf?.(value) ?? 0;
    // Cutting off the half that was read, and not each value, keeps the cost of a value constant.
    if (this.#head * 2 >= this.#buffer.length) {
      this.#buffer.splice(0, this.#head);
      this.#head = 0;
    }
    return value;
  }

  async #giveEnding(ending: Ending): Promise<IteratorResult<T, void>> {
    this.#ending = {};
    if ("error" in ending) throw ending.error;
    return DONE;
  }

  #cancel(ending: Ending): void {
    const isWriting = this.#ending === undefined;
    this.#buffer = [];
    this.#head = 0;
    this.#size = 0;
    this.#end(ending);
    if (isWriting) this.#options.onCancel?.();
  }

  #end(ending: Ending): void {
    if (this.#ending) return;
    this.#ending = ending;
    this.#options.signal?.removeEventListener("abort", this.#abort);
    this.#settleWaiting((waiting) => waiting.resolve(this.#giveEnding(ending)));
  }

  #settleWaiting(settle: (waiting: PromiseWithResolvers<IteratorResult<T, void>>) => void): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting) settle(waiting);
  }
}

interface Ending {
  readonly error?: unknown;
}

const DONE: IteratorReturnResult<void> = { done: true, value: undefined };
