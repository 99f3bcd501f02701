/** Bookings that wait for a count, so that shutting down can wait for them. */
export class Bookings {
  readonly #pending = new Set<Promise<void>>();

  /** Follows a booking, which must not reject. */
  add(booking: Promise<void>): void {
    this.#pending.add(booking);
    void booking.finally(() => this.#pending.delete(booking));
  }

  /** How many wait. */
  get pending(): number {
    return this.#pending.size;
  }

  /** Resolves when all that wait now are booked. */
  async settled(): Promise<void> {
    await Promise.all(this.#pending);
  }
}
