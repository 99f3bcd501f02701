import type { GatewayLogger } from "../log.ts";
import { logUnforeseen } from "../log.ts";

/** Bookings that wait for a count, so that shutting down can wait for them. */
export class PendingSettlements {
  readonly #pending = new Set<Promise<void>>();
  readonly #log: GatewayLogger;

  constructor(log: GatewayLogger) {
    this.#log = log;
  }

  /** Follows a booking to its end. One that fails is told in the log, and brings nothing else down. */
  add(booking: Promise<void>): void {
    const followed = booking
      .catch((error: unknown) => logUnforeseen(this.#log, "booking a request failed", error))
      .finally(() => this.#pending.delete(followed));
    this.#pending.add(followed);
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
