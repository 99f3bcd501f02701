import type { GatewayLogger } from "../log.ts";
import { logUnforeseen } from "../log.ts";

/** Tracks settlements that wait for a token count, so that shutdown can wait for them. */
export class PendingSettlements {
  readonly #pending = new Set<Promise<void>>();
  readonly #log: GatewayLogger;

  constructor(log: GatewayLogger) {
    this.#log = log;
  }

  /** Tracks a settlement; a failure is logged. */
  add(booking: Promise<void>): void {
    const followed = booking
      .catch((error: unknown) => logUnforeseen(this.#log, "booking a request failed", error))
      .finally(() => this.#pending.delete(followed));
    this.#pending.add(followed);
  }

  /** Number of pending settlements. */
  get pending(): number {
    return this.#pending.size;
  }

  /** Resolves when all settlements that are pending now are done. */
  async settled(): Promise<void> {
    await Promise.all(this.#pending);
  }
}
