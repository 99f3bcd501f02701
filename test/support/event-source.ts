import type { ChatEvent } from "modelyard/plugin";

type Next = IteratorResult<readonly ChatEvent[]>;

/** An answer of texts, one a batch, that counts how far it is read and can be held back. */
export class Source implements AsyncIterableIterator<readonly ChatEvent[]> {
  /** Thrown in place of the end. */
  failure: Error | undefined;
  /** How often it was asked for more. */
  reads = 0;
  returned = false;
  readonly #pieces: readonly string[];
  #gate: PromiseWithResolvers<void> | undefined;

  constructor(pieces: readonly string[]) {
    this.#pieces = pieces;
  }

  /** Lets nothing through until `release`. */
  hold(): void {
    this.#gate ??= Promise.withResolvers();
  }

  release(): void {
    this.#gate?.resolve();
    this.#gate = undefined;
  }

  async next(): Promise<Next> {
    const text = this.#pieces[this.reads];
    this.reads += 1;
    await this.#gate?.promise;
    if (text !== undefined) return { done: false, value: [{ type: "text", text }] };
    if (this.failure) throw this.failure;
    return { done: true, value: undefined };
  }

  return(): Promise<Next> {
    this.returned = true;
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
