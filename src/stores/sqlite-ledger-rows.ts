import type { Database, SQLQueryBindings } from "bun:sqlite";
import type { Closed } from "../state/ledger-row.ts";
import type { LedgerRow } from "../state/ledger-store.ts";
import { isHit } from "../state/ledger-store.ts";
import type { DayColumn } from "./sqlite-ledger-columns.ts";
import { DAY_COLUMNS, DAY_MS } from "./sqlite-ledger-columns.ts";

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
  "usage_source",
  "cost",
  "price_version",
  "cache",
  "settled",
  "released",
  "first_event_ms",
  "total_ms",
];

/** Longer names are cut: some are the client's own. */
const LONGEST_NAME = 256;

/** Writes rows, and the sums of their days. */
export class RowWriter {
  readonly #database: Database;
  readonly #open: string;
  readonly #whole: string;
  readonly #end: string;
  readonly #day: string;

  constructor(database: Database) {
    this.#database = database;
    this.#open = insertInto("requests", OPENED);
    this.#whole = insertInto("requests", [...OPENED, ...CLOSED]);
    const set = CLOSED.map((column) => `${column} = ?`).join(", ");
    this.#end = `UPDATE requests SET ${set} WHERE process = ? AND number = ? AND outcome IS NULL`;
    this.#day = `${insertInto("days", ["day", "key", "model", "upstream", ...DAY_COLUMNS])} ${addingDays()}`;
  }

  /** To be called within a transaction. */
  write(process: number, rows: readonly LedgerRow[]): void {
    const days = new Map<string, DaySum>();
    for (const row of rows) {
      const { closed } = row;
      const end = closed ? endOf(row, closed) : [];
      if (row.isWritten) this.#database.query(this.#end).run(...end, process, row.number);
      else this.#database.query(closed ? this.#whole : this.#open).run(...beginOf(process, row), ...end);
      if (closed) addTo(days, row, closed);
    }
    for (const { place, sums } of days.values()) {
      this.#database.query(this.#day).run(...place, ...DAY_COLUMNS.map((column) => sums[column]));
    }
  }
}

/** What `INSERT INTO days` says when the line is there already: the sums are added. */
export function addingDays(): string {
  const set = DAY_COLUMNS.map((column) => `${column} = ${column} + excluded.${column}`).join(", ");
  return `ON CONFLICT DO UPDATE SET ${set}`;
}

interface DaySum {
  readonly place: readonly [day: number, key: string, model: string, upstream: string];
  readonly sums: Record<DayColumn, number>;
}

function beginOf(process: number, { number, admitted }: LedgerRow): SQLQueryBindings[] {
  const { request, key, model, endpoint, at, reserved } = admitted;
  return [process, number, cut(request), cut(key), cut(model), endpoint, at, reserved];
}

function endOf({ admitted }: LedgerRow, closed: Closed): SQLQueryBindings[] {
  const { outcome, status, code, upstream, upstreamModel, attempts, usage, settled } = closed;
  return [
    outcome,
    status,
    code ?? null,
    upstream ?? null,
    cut(upstreamModel) ?? null,
    attempts,
    usage.input ?? null,
    usage.cachedInput ?? null,
    usage.cacheWrite ?? null,
    usage.output ?? null,
    usage.reasoning ?? null,
    closed.usageSource ?? null,
    closed.cost,
    closed.priceVersion ?? null,
    closed.cache,
    settled,
    admitted.reserved - settled,
    closed.firstEventMs ?? null,
    closed.totalMs,
  ];
}

function addTo(days: Map<string, DaySum>, { admitted }: LedgerRow, closed: Closed): void {
  const day = Math.floor(admitted.at / DAY_MS);
  const place = [day, cut(admitted.key), cut(admitted.model), closed.upstream ?? ""] as const;
  const name = place.join("\n");
  let found = days.get(name);
  if (!found) days.set(name, (found = { place, sums: noSums() }));
  const { sums } = found;
  const { usage, cost } = closed;
  sums.requests += 1;
  sums[closed.outcome] += 1;
  if (isHit(closed.cache)) sums.hits += 1;
  sums.input += usage.input ?? 0;
  sums.cached_input += usage.cachedInput ?? 0;
  sums.cache_write += usage.cacheWrite ?? 0;
  sums.output += usage.output ?? 0;
  sums.reasoning += usage.reasoning ?? 0;
  if (cost === null) sums.unpriced += 1;
  else sums.cost += cost;
}

function noSums(): Record<DayColumn, number> {
  return Object.fromEntries(DAY_COLUMNS.map((column) => [column, 0])) as Record<DayColumn, number>;
}

function insertInto(table: string, columns: readonly string[]): string {
  return `INSERT INTO ${table} (${columns.join(", ")}) VALUES (${columns.map(() => "?").join(", ")})`;
}

function cut(name: string): string;
function cut(name: string | undefined): string | undefined;
function cut(name: string | undefined): string | undefined {
  return name?.slice(0, LONGEST_NAME);
}
