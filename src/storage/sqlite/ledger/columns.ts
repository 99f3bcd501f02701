import type { LedgerSums, UsageRow } from "../../../ledger/ledger-store.ts";

/** Milliseconds of a UTC day. The database stores days as their number since 1970. */
export const DAY_MS = 86_400_000;

/** SQL expressions over `requests` for the columns of `totals`. */
export const SUMS = {
  admitted: "count(*)",
  ok: count("outcome = 'ok'"),
  client_abort: count("outcome = 'client_abort'"),
  upstream_error: count("outcome = 'upstream_error'"),
  truncated: count("outcome = 'truncated'"),
  crashed: count("outcome = 'crashed'"),
  reserved: sum("reserved"),
  settled: sum("settled"),
  released: sum("released"),
  input: sum("input"),
  cached_input: sum("cached_input"),
  cache_write: sum("cache_write"),
  output: sum("output"),
  reasoning: sum("reasoning"),
  paid_input: sum("paid_input"),
  paid_cached_input: sum("paid_cached_input"),
  paid_cache_write: sum("paid_cache_write"),
  paid_output: sum("paid_output"),
  paid_reasoning: sum("paid_reasoning"),
  cost: sum("cost"),
  unpriced: count("outcome IS NOT NULL AND cost IS NULL"),
} as const;

/** The SQL form of `savedTokens`. */
const SAVED = `coalesce(sum(coalesce(input, 0) + coalesce(output, 0))
  FILTER (WHERE cache IN ('hit', 'follow') AND coalesce(paid_input, 0) + coalesce(paid_output, 0) = 0), 0)`;

/** SQL expressions over ended rows of `requests` for the columns of `days`. */
export const DAY_SUMS = {
  requests: "count(*)",
  ok: SUMS.ok,
  client_abort: SUMS.client_abort,
  upstream_error: SUMS.upstream_error,
  truncated: SUMS.truncated,
  crashed: SUMS.crashed,
  hits: count("cache IN ('hit', 'follow')"),
  saved: SAVED,
  input: SUMS.paid_input,
  cached_input: SUMS.paid_cached_input,
  cache_write: SUMS.paid_cache_write,
  output: SUMS.paid_output,
  reasoning: SUMS.paid_reasoning,
  cost: SUMS.cost,
  unpriced: SUMS.unpriced,
} as const;

export type SumColumn = keyof typeof SUMS;
export type DayColumn = keyof typeof DAY_SUMS;

export const SUM_COLUMNS = Object.keys(SUMS) as readonly SumColumn[];
export const DAY_COLUMNS = Object.keys(DAY_SUMS) as readonly DayColumn[];

/** Returns the sum that belongs in a column of `totals`. */
export function sumOf(sums: LedgerSums, column: SumColumn): number {
  return sums[SUM_NAMES[column as keyof typeof SUM_NAMES] ?? column];
}

const SUM_NAMES = {
  cached_input: "cachedInput",
  cache_write: "cacheWrite",
  paid_input: "paidInput",
  paid_cached_input: "paidCachedInput",
  paid_cache_write: "paidCacheWrite",
  paid_output: "paidOutput",
  paid_reasoning: "paidReasoning",
} as const;

/** Converts a row of `days` to a UsageRow. */
export function usageRow({
  cached_input: cachedInput,
  cache_write: cacheWrite,
  ...row
}: Readonly<Record<DayColumn, number>> & { readonly name: string }): UsageRow {
  return { ...row, cachedInput, cacheWrite };
}

function count(condition: string): string {
  return `count(*) FILTER (WHERE ${condition})`;
}

function sum(column: string): string {
  return `coalesce(sum(${column}), 0)`;
}
