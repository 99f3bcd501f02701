import type { GatewayLogger } from "../log.ts";
import type { EntryOwner } from "./ledger-page.ts";
import { Entry, LedgerPage } from "./ledger-page.ts";
import { closedRecord, openedRecord } from "./ledger-record.ts";
import type { Admitted, LedgerEntry } from "./ledger-row.ts";
import type { LedgerWriter } from "./ledger-store.ts";
import { LedgerHealth } from "./ledger-health.ts";
import { WriteAhead } from "./write-ahead.ts";

export type {
  Admitted,
  CacheState,
  Closed,
  LedgerEntry,
  Outcome,
  PastAdmission,
  Spent,
} from "./ledger-row.ts";

/** Options of a `Ledger`. */
export interface LedgerOptions {
  readonly log: GatewayLogger;
  /** Retention of rows, in ms. */
  readonly retention: number;
  /** Longest wait of a row before it is written, in ms. */
  readonly interval?: number;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

/** Below the promised 250 ms, because a busy event loop adds to it. */
const INTERVAL_MS = 150;
/** Rows per transaction. */
const PAGE_ROWS = 200;
/**
 * How long a full page waits for requests that are about to end, in ms. Not longer, because objects that survive several
 * garbage collections are expensive to collect.
 */
const FULL_PAGE_MS = 10;
/** Longest time for writing in one turn of the event loop, in ms. */
const TURN_MS = 5;
/** The same while rows are late: then the event loop is busy and has few turns. */
const LATE_TURN_MS = 8;
/** Retry interval after a failed write, in ms. */
const RETRY_MS = 25;
/** Bound of pending rows; further requests are answered and only counted. */
const MAX_PENDING = 50_000;
const HEALTH_MESSAGES = {
  failing:
    "the usage ledger can't be written; requests are answered all the same, and their rows wait in memory",
  recovered: "the usage ledger is written again",
};
const PRUNE_MS = 60 * 60_000;
/** How long `close` retries while another process holds the lock, in ms. */
const CLOSE_RETRY_MS = 2_000;

/**
 * The usage ledger: one row for each admitted request, with its outcome. Rows are collected in memory and written in pages
 * off the request path. Until then they are in the write-ahead file, from which the next start recovers them after a kill.
 * While writing fails, rows wait and requests are served.
 */
export class Ledger {
  readonly #store: LedgerWriter;
  readonly #options: Required<LedgerOptions>;
  readonly #health: LedgerHealth;
  readonly #writeAhead: WriteAhead | undefined;
  /** Unwritten pages, oldest first; new rows go to the last. */
  #pages: LedgerPage[] = [];
  #pageNumber = 0;
  #rowNumber = 0;
  #pending = 0;
  #dropped = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** When the timer fires, by `performance.now()`. */
  #due = Infinity;
  #pruning: ReturnType<typeof setTimeout> | undefined;
  #isClosed = false;

  /** Closes the rows of crashed processes. Throws a StartupError if the store can't be used. */
  constructor(store: LedgerWriter, options: LedgerOptions) {
    this.#store = store;
    this.#options = { interval: INTERVAL_MS, now: Date.now, ...options };
    const { log, now } = this.#options;
    this.#health = new LedgerHealth(HEALTH_MESSAGES, { log, now });
    const { crashed, recovered, damaged, ahead } = store.begin();
    if (recovered > 0) log.warn("rows of a killed gateway recovered", { rows: recovered });
    for (const file of damaged) log.warn("damaged write-ahead file of a killed gateway set aside", { file });
    if (crashed > 0) log.warn("requests cut off by a crash", { requests: crashed });
    this.#writeAhead = ahead && new WriteAhead(ahead, { logger: log, now });
    this.#pruneIn(0);
  }

  /** Number of rows that wait to be written. */
  get pending(): number {
    return this.#pending;
  }

  /** Number of requests without a row, because too many rows were pending. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Number of failed writes to the write-ahead file. */
  get failures(): number {
    return this.#writeAhead?.failures ?? 0;
  }

  /** True while rows would be lost if the process were killed, or have waited for long. */
  get isDegraded(): boolean {
    return this.#health.isReported || this.#writeAhead?.isFailing === true;
  }

  /** Opens a request's row. */
  open(admitted: Admitted): LedgerEntry {
    if (this.#pending >= MAX_PENDING) return this.#drop();
    this.#rowNumber += 1;
    const entry = new Entry(this.#rowNumber, admitted, this.#owner);
    this.#add(entry).counts.open(admitted);
    this.#writeAhead?.add(openedRecord(entry.number, admitted));
    return entry;
  }

  /** Writes pending rows; of a long backlog as many as one turn allows. */
  flush(): void {
    this.#writePages(LATE_TURN_MS);
  }

  /**
   * Writes the pending rows and stops; no row may be opened or closed afterwards. Throws if rows are in no file; they are
   * then in the log.
   */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#pruning);
    const end = performance.now() + CLOSE_RETRY_MS;
    while (!this.#writePages(Infinity) && performance.now() < end) Bun.sleepSync(RETRY_MS);
    clearTimeout(this.#timer);
    const rows = this.#pending;
    this.#writeAhead?.close({ keep: rows > 0 });
    if (rows === 0) return;
    if (this.#writeAhead?.isFailing === false) {
      this.#options.log.warn(
        "storing rows failed; they are in the write-ahead file, and the next start stores them",
        { rows },
      );
      return;
    }
    for (const { rows: lost } of this.#pages) for (const row of lost) this.#logLost(row);
    throw new Error(`${rows} rows of the usage ledger couldn't be written; they are in the log`);
  }

  readonly #owner: EntryOwner = {
    onProvisional: ({ number }, closed) => this.#writeAhead?.add(closedRecord(number, closed)),
    closed: (entry, closed) => {
      // A row that opens and closes within one page is written once. A written row may wait beyond the bound: there are
      // never more of those than running requests.
      const page = entry.page ?? this.#add(entry);
      page.counts.close(entry.admitted, closed);
      this.#writeAhead?.add(closedRecord(entry.number, closed));
    },
  };

  #logLost({ admitted, closed }: Entry): void {
    const { usage, paid, ...end } = closed ?? { usage: {}, paid: {} };
    const { raw: _, ...told } = usage;
    const { raw: __, ...charged } = paid;
    const row = { ...admitted, ...end, usage: told, paid: charged };
    this.#options.log.error("row of the usage ledger lost", { row: JSON.stringify(row) });
  }

  #add(entry: Entry): LedgerPage {
    const page = this.#page();
    page.rows.push(entry);
    entry.page = page;
    this.#pending += 1;
    return page;
  }

  #drop(): LedgerEntry {
    this.#dropped += 1;
    this.#page().dropped += 1;
    return { closeProvisionally: () => undefined, close: () => undefined };
  }

  /** Returns the last page, or a new one if that is full. */
  #page(): LedgerPage {
    const last = this.#pages.at(-1);
    if (last && last.rows.length < PAGE_ROWS) return last;
    this.#pageNumber += 1;
    const page = new LedgerPage(this.#pageNumber);
    this.#pages.push(page);
    this.#scheduleIn(last ? FULL_PAGE_MS : this.#options.interval);
    return page;
  }

  #scheduleIn(ms: number): void {
    const due = performance.now() + ms;
    if (due >= this.#due) return;
    clearTimeout(this.#timer);
    this.#due = due;
    this.#timer = setTimeout(this.#writeDue, ms);
  }

  readonly #writeDue = (): void => {
    this.#due = Infinity;
    const late = this.#ageOf(this.#pages[0]) > 2 * this.#options.interval;
    const isWritten = this.#writePages(late ? LATE_TURN_MS : TURN_MS, (page) => this.#isDue(page));
    const [next] = this.#pages;
    if (!next) return;
    if (!isWritten) this.#scheduleIn(RETRY_MS);
    else this.#scheduleIn(this.#isDue(next) ? 0 : this.#options.interval - this.#ageOf(next));
  };

  #ageOf(page: LedgerPage | undefined): number {
    return page ? performance.now() - page.createdAt : 0;
  }

  #isDue(page: LedgerPage): boolean {
    return page.rows.length >= PAGE_ROWS || this.#ageOf(page) >= this.#options.interval;
  }

  /** Writes due pages; returns false if one couldn't be written. */
  #writePages(forMs: number, isDue: (page: LedgerPage) => boolean = () => true): boolean {
    const end = performance.now() + forMs;
    for (let page = this.#pages[0]; page && isDue(page); page = this.#pages[0]) {
      if (!this.#write(page)) return false;
      page.markWritten();
      this.#pending -= page.rows.length;
      this.#pages.shift();
      this.#writeAhead?.stored(this.#pages.length > 0 ? page.number : undefined, this.#pageNumber);
      if (performance.now() > end) break;
    }
    return true;
  }

  #write(page: LedgerPage): boolean {
    try {
      const isWritten = this.#store.write(page);
      if (isWritten) this.#health.recordSuccess();
      else this.#health.recordLock({ pending: this.#pending, dropped: this.#dropped });
      return isWritten;
    } catch (error) {
      this.#health.recordFailure(error, { pending: this.#pending, dropped: this.#dropped });
      return false;
    }
  }

  #pruneIn(ms: number): void {
    this.#pruning = setTimeout(this.#prune, ms);
    // Pruning must not keep the process alive.
    this.#pruning.unref();
  }

  readonly #prune = (): void => {
    let deleted = 0;
    try {
      deleted = this.#store.prune(this.#options.now() - this.#options.retention);
    } catch (error) {
      this.#options.log.warn("deleting old rows of the usage ledger failed", { error: String(error) });
    }
    this.#pruneIn(deleted > 0 ? RETRY_MS : PRUNE_MS);
  };
}
