import type { JsonObject } from "../contract/index.ts";
import type { GatewayLogger } from "../log.ts";
import { messageOf } from "../log.ts";

/** How often a trouble is told, whether it lasts or comes and goes. */
const AGAIN_MS = 10_000;
/** How long somebody else's writing is nothing unusual. */
const USUAL_MS = 1_000;

/** What is told while something can't be written, and when it can be again. */
export interface HealthMessages {
  readonly failing: string;
  readonly over: string;
}

/** Tells the log of what can't be written: at the beginning, now and then, and when it is over. */
export class LedgerHealth {
  readonly #words: HealthMessages;
  readonly #log: GatewayLogger;
  readonly #now: () => number;
  #since: number | undefined;
  #toldAt: number | undefined;
  #isTold = false;

  constructor(words: HealthMessages, { log, now }: { log: GatewayLogger; now: () => number }) {
    this.#words = words;
    this.#log = log;
    this.#now = now;
  }

  /** Whether it lasts, and was told. */
  get isTold(): boolean {
    return this.#isTold;
  }

  /** They couldn't be written. */
  failed(error: unknown, counts: JsonObject): void {
    this.#since ??= this.#now();
    this.#tell(messageOf(error), counts);
  }

  /** Somebody else was writing. */
  waiting(counts: JsonObject): void {
    this.#since ??= this.#now();
    if (this.#now() - this.#since >= USUAL_MS)
      this.#tell("another process keeps the database locked", counts);
  }

  /** They are written. */
  over(): void {
    if (this.#since === undefined) return;
    if (this.#isTold) {
      this.#log.info(this.#words.over, { after_ms: this.#now() - this.#since });
    }
    this.#since = undefined;
    this.#isTold = false;
  }

  #tell(error: string, counts: JsonObject): void {
    const now = this.#now();
    if (this.#toldAt !== undefined && now - this.#toldAt < AGAIN_MS) return;
    this.#toldAt = now;
    this.#isTold = true;
    this.#log.error(this.#words.failing, { error, ...counts });
  }
}
