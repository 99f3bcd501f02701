import type { JsonObject } from "../contract/index.ts";
import type { GatewayLogger } from "../log.ts";
import { messageOf } from "../log.ts";

/** Shortest interval between reports of a failure, in ms. */
const REPORT_INTERVAL_MS = 10_000;
/** How long another process's lock isn't reported, in ms. */
const LOCK_GRACE_MS = 1_000;

/** The messages for a failure and for its end. */
export interface HealthMessages {
  readonly failing: string;
  readonly recovered: string;
}

/** Logs failed writes: the first, then at intervals, and the recovery. */
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

  /** True while a reported failure lasts. */
  get isReported(): boolean {
    return this.#isReported;
  }

  /** Records a failed write. */
  recordFailure(error: unknown, counts: JsonObject): void {
    this.#since ??= this.#now();
    this.#report(messageOf(error), counts);
  }

  /** Records a write that another process's lock prevented. */
  recordLock(counts: JsonObject): void {
    this.#since ??= this.#now();
    if (this.#now() - this.#since >= LOCK_GRACE_MS)
      this.#report("another process keeps the database locked", counts);
  }

  /** Records a successful write. */
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
