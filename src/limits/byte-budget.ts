/** So many bytes may be held at once by all requests together. */
export class ByteBudget {
  readonly size: number;
  #used = 0;

  constructor(size: number) {
    this.size = size;
  }

  get used(): number {
    return this.#used;
  }

  /** Takes `bytes` for as long as what comes back isn't disposed; undefined when there aren't as many left. */
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

/** Part of a budget, given back by disposing it. */
export class ByteReservation implements Disposable {
  readonly #change: (bytes: number) => boolean;
  #bytes = 0;

  constructor(change: (bytes: number) => boolean) {
    this.#change = change;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Takes `bytes` more; false when there aren't as many left. */
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
