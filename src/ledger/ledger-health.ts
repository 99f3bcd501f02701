import type { JsonObject } from "../contract/index.ts";
import type { GatewayLogger } from "../log.ts";
import { messageOf } from "../log.ts";

/** How often a trouble is told, whether it lasts or comes and goes. */
const REPORT_INTERVAL_MS = 10_000;
/** How long somebody else's writing is nothing unusual. */
const LOCK_GRACE_MS = 1_000;

/** What is told while something can't be written, and when it can be again. */
export interface HealthMessages {
  readonly failing: string;
  readonly recovered: string;
}

/** Tells the log of what can't be written: at the beginning, now and then, and when it is over. */
export class LedgerHealth {
  readonly #messages: HealthMessages;
  readonly #log: GatewayLogger;
  readonly #now: () => number;
  #since: number | undefined;
  #reportedAt: number | undefined;
  #isReported = false;

  constructor(messages: HealthMessages, { log, now }: { log: GatewayLogger; now: () => number }) {
    this.#messages = messages;
    this.#log = log;
    this.#now = now;
  }

  /** Whether it lasts, and was told. */
  get isReported(): boolean {
    return this.#isReported;
  }

  /** They couldn't be written. */
  recordFailure(error: unknown, counts: JsonObject): void {
    this.#since ??= this.#now();
    this.#report(messageOf(error), counts);
  }

  /** Somebody else was writing. */
  recordLock(counts: JsonObject): void {
    this.#since ??= this.#now();
    if (this.#now() - this.#since >= LOCK_GRACE_MS)
      this.#report("another process keeps the database locked", counts);
  }

  /** They are written. */
  recordSuccess(): void {
    if (this.#since === undefined) return;
    if (this.#isReported) {
      this.#log.info(this.#messages.recovered, { after_ms: this.#now() - this.#since });
    }
    this.#since = undefined;
    this.#isReported = false;
  }

  #report(error: string, counts: JsonObject): void {
    const now = this.#now();
    if (this.#reportedAt !== undefined && now - this.#reportedAt < REPORT_INTERVAL_MS) return;
    this.#reportedAt = now;
    this.#isReported = true;
    this.#log.error(this.#messages.failing, { error, ...counts });
  }
}
