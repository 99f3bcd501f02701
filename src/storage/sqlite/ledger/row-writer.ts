import type { Database, SQLQueryBindings, Statement } from "bun:sqlite";
import type { Admitted, Closed } from "../../../ledger/ledger-row.ts";
import type { LedgerRow } from "../../../ledger/ledger-store.ts";
import { isHit, savedTokens } from "../../../ledger/ledger-store.ts";
import type { DayColumn } from "./columns.ts";
import { DAY_COLUMNS, DAY_MS } from "./columns.ts";

const OPENED = ["process", "number", "request", "key", "model", "endpoint", "at", "reserved"];
const CLOSED = [
  "outcome",
  "status",
  "code",
  "upstream",
  "upstream_model",
  "attempts",
  "input",
  "cached_input",
  "cache_write",
  "output",
  "reasoning",
  "paid_input",
  "paid_cached_input",
  "paid_cache_write",
  "paid_output",
  "paid_reasoning",
  "usage_source",
  "cost",
  "price_version",
  "cache",
  "settled",
  "released",
  "first_event_ms",
  "total_ms",
  "queue_ms",
];

/** Longer names are truncated; clients choose some of them. */
const LONGEST_NAME = 256;

/** Writes rows of requests and adds them to the daily sums. */
export class RowWriter implements Disposable {
  readonly #open: Statement;
  readonly #whole: Statement;
  readonly #end: Statement;
  readonly #day: Statement;

  /** Prepares the statements; the tables must exist. */
  constructor(database: Database) {
    this.#open = database.prepare(insertInto("requests", OPENED));
    this.#whole = database.prepare(insertInto("requests", [...OPENED, ...CLOSED]));
    const set = CLOSED.map((column) => `${column} = ?`).join(", ");
    this.#end = database.prepare(
      `UPDATE requests SET ${set} WHERE process = ? AND number = ? AND outcome IS NULL`,
    );
    this.#day = database.prepare(
      `${insertInto("days", ["day", "key", "model", "upstream", ...DAY_COLUMNS])} ${addingDays()}`,
    );
  }

  /** Finalizes the statements. A database with open statements doesn't close. */
  [Symbol.dispose](): void {
    for (const statement of [this.#open, this.#whole, this.#end, this.#day]) statement.finalize();
  }

  /** Writes rows; the caller must have begun a transaction. */
  write(process: number, rows: readonly LedgerRow[]): void {
    const days = new DaySums();
    for (const row of rows) {
      const { closed } = row;
      // One array a row keeps the cost per request low.
      const values: SQLQueryBindings[] = [];
      if (!row.isWritten) pushOpened(values, process, row);
      if (closed) {
        pushClosed(values, row, closed);
        days.add(row, closed);
      }
      if (row.isWritten) this.#end.run(values.concat(process, row.number));
      else (closed ? this.#whole : this.#open).run(values);
    }
    for (const { place, sums } of days.all()) {
      this.#day.run([...place, ...DAY_COLUMNS.map((column) => sums[column])]);
    }
  }
}

/** Returns the upsert clause of `INSERT INTO days`, which adds to the sums of an existing row. */
export function addingDays(): string {
  const set = DAY_COLUMNS.map((column) => `${column} = ${column} + excluded.${column}`).join(", ");
  return `ON CONFLICT DO UPDATE SET ${set}`;
}

function pushOpened(values: SQLQueryBindings[], process: number, { number, admitted }: LedgerRow): void {
  const { request, key, model, endpoint, at, reserved } = admitted;
  values.push(process, number, cut(request), cut(key), cut(model), endpoint, at, reserved);
}

function pushClosed(values: SQLQueryBindings[], { admitted }: LedgerRow, closed: Closed): void {
  const { outcome, status, code, upstream, upstreamModel, attempts, usage, paid, settled } = closed;
  values.push(
    outcome,
    status,
    code ?? null,
    upstream ?? null,
    upstreamModel === undefined ? null : cut(upstreamModel),
    attempts,
    usage.input ?? null,
    usage.cachedInput ?? null,
    usage.cacheWrite ?? null,
    usage.output ?? null,
    usage.reasoning ?? null,
    paid.input ?? 0,
    paid.cachedInput ?? 0,
    paid.cacheWrite ?? 0,
    paid.output ?? 0,
    paid.reasoning ?? 0,
    closed.usageSource ?? null,
    closed.cost,
    closed.priceVersion ?? null,
    closed.cache,
    settled,
    admitted.reserved - settled,
    closed.firstEventMs ?? null,
    closed.totalMs,
    closed.queuedMs ?? null,
  );
}

interface DaySum {
  readonly place: readonly [day: number, key: string, model: string, upstream: string];
  readonly sums: Record<DayColumn, number>;
}

/** Sums of ended rows by day, key, model and upstream. A row counts on the day it began. */
class DaySums {
  readonly #sums = new Map<string, DaySum>();

  all(): Iterable<DaySum> {
    return this.#sums.values();
  }

  add({ admitted }: LedgerRow, closed: Closed): void {
    const sums = this.#of(Math.floor(admitted.at / DAY_MS), admitted, closed.upstream ?? "");
    const { paid, cost } = closed;
    sums.requests += 1;
    sums[closed.outcome] += 1;
    if (isHit(closed.cache)) sums.hits += 1;
    sums.saved += savedTokens(closed);
    sums.input += paid.input ?? 0;
    sums.cached_input += paid.cachedInput ?? 0;
    sums.cache_write += paid.cacheWrite ?? 0;
    sums.output += paid.output ?? 0;
    sums.reasoning += paid.reasoning ?? 0;
    if (cost === null) sums.unpriced += 1;
    else sums.cost += cost;
  }

  #of(day: number, admitted: Admitted, upstream: string): Record<DayColumn, number> {
    const key = cut(admitted.key);
    const model = cut(admitted.model);
    const name = `${day}\n${key}\n${model}\n${upstream}`;
    let found = this.#sums.get(name);
    if (!found) this.#sums.set(name, (found = { place: [day, key, model, upstream], sums: noSums() }));
    return found.sums;
  }
}

function noSums(): Record<DayColumn, number> {
  return Object.fromEntries(DAY_COLUMNS.map((column) => [column, 0])) as Record<DayColumn, number>;
}

function insertInto(table: string, columns: readonly string[]): string {
  return `INSERT INTO ${table} (${columns.join(", ")}) VALUES (${columns.map(() => "?").join(", ")})`;
}

function cut(name: string): string {
  return name.length > LONGEST_NAME ? name.slice(0, LONGEST_NAME) : name;
}
