import type { GatewayLogger } from "../log.ts";
import { messageOf } from "../log.ts";
import { LedgerHealth } from "./ledger-health.ts";

/** What is written: as numbers as far as it can be, since writing those as text costs more than all else. */
export interface WriteAheadRecord {
  readonly numbers: readonly number[];
  readonly text: string;
}

/** Records that outlive the process. It has two segments, so that what is safe elsewhere can be dropped. */
export interface WriteAheadLog {
  /** Of the segment that is written, in bytes. */
  readonly size: number;
  /** Appends a record at once. Throws when it can't; then nothing of it is there. */
  append(record: WriteAheadRecord): void;
  /** Goes on in the other segment. Returns false while that isn't released. */
  turn(): boolean;
  /** Empties the other segment. */
  release(): void;
  /** Empties both. */
  clear(): void;
  /** With `keep` the records stay for whoever reads them next. */
  close(options: { readonly keep: boolean }): void;
}

/** From this size on a segment is left as soon as the other one is free. */
const SEGMENT_BYTES = 1024 * 1024;
/** So many records that couldn't be appended are kept for another try. */
const MOST_KEPT = 5_000;

/**
 * Appends what happens before any of it is told to somebody. Where it can't be written, nobody is held up, and it is
 * tried again with what comes next.
 */
export class WriteAhead {
  readonly #log: WriteAheadLog;
  readonly #health: LedgerHealth;
  /** What couldn't be appended yet. */
  #kept: WriteAheadRecord[] = [];
  /** The page that must be stored before the other segment can be released. */
  #until: number | undefined;
  #failures = 0;
  #isFailing = false;
  #isIncomplete = false;

  constructor(log: WriteAheadLog, { logger, now }: { logger: GatewayLogger; now: () => number }) {
    this.#log = log;
    this.#health = new LedgerHealth(
      {
        failing:
          "the write-ahead file can't be written; requests are answered all the same, but those of this time are lost if the process is killed",
        recovered: "the write-ahead file is written again",
      },
      { log: logger, now },
    );
  }

  /** How many writes have failed. */
  get failures(): number {
    return this.#failures;
  }

  /** Whether something that was added is in no file. */
  get isFailing(): boolean {
    return this.#isFailing;
  }

  add(record: WriteAheadRecord): void {
    this.#kept.push(record);
    this.#write();
  }

  /** All pages up to this one are stored; `page` undefined: everything is. `last` is the newest page. */
  stored(page: number | undefined, last: number): void {
    try {
      if (page === undefined) this.#log.clear();
      else if (this.#until !== undefined && page >= this.#until) this.#log.release();
      if (page === undefined || page >= (this.#until ?? Infinity)) this.#until = undefined;
      if (this.#log.size >= SEGMENT_BYTES && this.#log.turn()) this.#until = last;
    } catch (error) {
      this.#failed(error);
    }
    if (page !== undefined) return;
    // What couldn't be written ahead is stored now.
    this.#kept = [];
    this.#isFailing = false;
    this.#isIncomplete = false;
  }

  /** Writes what waits, and closes the file: with `keep` for whoever starts next. */
  close({ keep }: { readonly keep: boolean }): void {
    this.#write();
    this.#log.close({ keep });
  }

  #write(): void {
    try {
      for (let next = this.#kept[0]; next; next = this.#kept[0]) {
        this.#log.append(next);
        this.#kept.shift();
      }
      this.#isFailing = this.#isIncomplete;
      this.#health.recordSuccess();
    } catch (error) {
      this.#failed(error);
      if (this.#kept.length <= MOST_KEPT) return;
      this.#kept = [];
      this.#isIncomplete = true;
    }
  }

  #failed(error: unknown): void {
    this.#failures += 1;
    this.#isFailing = true;
    this.#health.recordFailure(messageOf(error), { failures: this.#failures });
  }
}
