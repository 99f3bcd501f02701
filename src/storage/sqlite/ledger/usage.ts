import type { Database } from "bun:sqlite";
import type { UsageGrouping, UsageQuery, UsageRow } from "../../../ledger/ledger-store.ts";
import type { DayColumn } from "./columns.ts";
import { DAY_COLUMNS, DAY_MS, usageRow } from "./columns.ts";

const NAMES: Readonly<Record<UsageGrouping, string>> = {
  key: "key",
  model: "model",
  upstream: "upstream",
  day: "date(day * 86400, 'unixepoch')",
};

/** Returns the daily sums, grouped and filtered by a query. */
export function usageOf(database: Database, { by, since = 0, key }: UsageQuery): readonly UsageRow[] {
  const columns = DAY_COLUMNS.map((column) => `sum(${column}) AS ${column}`).join(", ");
  return database
    .query<Readonly<Record<DayColumn, number>> & { readonly name: string }, [number, string | null]>(
      `SELECT ${NAMES[by]} AS name, ${columns} FROM days WHERE day >= ?1 AND (?2 IS NULL OR key = ?2)
       GROUP BY 1 ORDER BY ${by === "day" ? "1" : "requests DESC, 1"}`,
    )
    .all(Math.floor(since / DAY_MS), key ?? null)
    .map(usageRow);
}
