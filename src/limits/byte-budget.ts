/** Bounds the bytes that all requests hold together. */
export class ByteBudget {
  readonly size: number;
  #used = 0;

  constructor(size: number) {
    this.size = size;
  }

  get used(): number {
    return this.#used;
  }

  /** Reserves `bytes` until the returned reservation is disposed; undefined if fewer are left. */
  reserve(bytes: number): ByteReservation | undefined {
    const taken = new ByteReservation(this.#change);
    return taken.extend(bytes) ? taken : undefined;
  }

  readonly #change = (bytes: number): boolean => {
    if (this.#used + bytes > this.size) return false;
    this.#used += bytes;
    return true;
  };
}

/** Holds part of a byte budget until it is disposed. */
export class ByteReservation implements Disposable {
  readonly #change: (bytes: number) => boolean;
  #bytes = 0;

  constructor(change: (bytes: number) => boolean) {
    this.#change = change;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Reserves `bytes` more; returns false if fewer are left. */
  extend(bytes: number): boolean {
    if (!this.#change(bytes)) return false;
    this.#bytes += bytes;
    return true;
  }

  [Symbol.dispose](): void {
    this.#change(-this.#bytes);
    this.#bytes = 0;
  }
}
