/** Collects bytes of an incomplete unit. Each byte is copied a bounded number of times on average. */
export class ByteBuffer {
  #bytes: Uint8Array = NONE;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  append(piece: Uint8Array): void {
    const length = this.#length + piece.length;
    if (length > this.#bytes.length) this.#grow(length);
    this.#bytes.set(piece, this.#length);
    this.#length = length;
  }

  /** Empties the buffer and returns its bytes, which are valid until the next `append`. */
  take(): Uint8Array {
    const taken = this.#bytes.subarray(0, this.#length);
    this.#length = 0;
    // One large event must not hold its memory for the rest of a long stream.
    if (this.#bytes.length > KEPT) this.#bytes = NONE;
    return taken;
  }

  #grow(length: number): void {
    const grown = new Uint8Array(Math.max(length, this.#bytes.length * 2, SMALLEST));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}

/** Most buffers of most streams never hold anything. */
const NONE = new Uint8Array(0);
const SMALLEST = 1024;
const KEPT = 64 * 1024;
