import type { Admitted, Closed, LedgerEntry } from "./ledger-row.ts";
import type { LedgerBatch, LedgerRow, LedgerSums } from "./ledger-store.ts";

/** The rows and sums of one transaction, which fills while requests start and end. */
export class LedgerPage implements LedgerBatch {
  readonly number: number;
  readonly rows: Entry[] = [];
  readonly counts: LedgerCounts = new LedgerCounts();
  dropped = 0;
  /** By `performance.now()`. */
  readonly createdAt: number = performance.now();

  constructor(number: number) {
    this.number = number;
  }

  /** Detaches the rows after the write: those that end later go to a later page. */
  markWritten(): void {
    for (const row of this.rows) row.page = undefined;
  }
}

/** Receives the ends of ledger entries. */
export interface EntryOwner {
  /** Called when an entry's end is known except for the exact token counts. */
  onProvisional(entry: Entry, onClosed: Closed): void;
  /** Called once for each closed entry. */
  closed(entry: Entry, closed: Closed): void;
}

/** One request's row, from admission to end. */
export class Entry implements LedgerRow, LedgerEntry {
  readonly number: number;
  readonly admitted: Admitted;
  closed: Closed | undefined;
  isWritten = false;
  readonly #owner: EntryOwner;
  /** The unwritten page that it belongs to. */
  #page: LedgerPage | undefined;

  constructor(number: number, admitted: Admitted, owner: EntryOwner) {
    this.number = number;
    this.admitted = admitted;
    this.#owner = owner;
  }

  get page(): LedgerPage | undefined {
    return this.#page;
  }

  set page(page: LedgerPage | undefined) {
    if (!page) this.isWritten = true;
    this.#page = page;
  }

  closeProvisionally(closed: Closed): void {
    if (!this.closed) this.#owner.onProvisional(this, closed);
  }

  close(closed: Closed): void {
    if (this.closed) return;
    this.closed = closed;
    this.#owner.closed(this, closed);
  }
}

/** Sums that are counted request by request, independently of the rows, for the audit. */
export class LedgerCounts implements LedgerSums {
  admitted = 0;
  ok = 0;
  client_abort = 0;
  upstream_error = 0;
  truncated = 0;
  crashed = 0;
  reserved = 0;
  settled = 0;
  released = 0;
  input = 0;
  cachedInput = 0;
  cacheWrite = 0;
  output = 0;
  reasoning = 0;
  paidInput = 0;
  paidCachedInput = 0;
  paidCacheWrite = 0;
  paidOutput = 0;
  paidReasoning = 0;
  cost = 0;
  unpriced = 0;

  open({ reserved }: Admitted): void {
    this.admitted += 1;
    this.reserved += reserved;
  }

  close({ reserved }: Admitted, { outcome, usage, paid, cost, settled }: Closed): void {
    this[outcome] += 1;
    this.settled += settled;
    this.released += reserved - settled;
    this.input += usage.input ?? 0;
    this.cachedInput += usage.cachedInput ?? 0;
    this.cacheWrite += usage.cacheWrite ?? 0;
    this.output += usage.output ?? 0;
    this.reasoning += usage.reasoning ?? 0;
    this.paidInput += paid.input ?? 0;
    this.paidCachedInput += paid.cachedInput ?? 0;
    this.paidCacheWrite += paid.cacheWrite ?? 0;
    this.paidOutput += paid.output ?? 0;
    this.paidReasoning += paid.reasoning ?? 0;
    if (cost === null) this.unpriced += 1;
    else this.cost += cost;
  }
}
