import type { Database } from "bun:sqlite";
import type { AuditCheck, AuditReport } from "../../../ledger/ledger-store.ts";
import type { SumColumn } from "./columns.ts";
import { DAY_COLUMNS, DAY_MS, DAY_SUMS, SUM_COLUMNS, SUMS } from "./columns.ts";

type Sums = Readonly<Record<SumColumn, number>>;
type Totals = Sums & { readonly until: number; readonly dropped: number };

/** Conditions that every row must satisfy, with the SQL of their violations. */
const ROW_RULES: readonly (readonly [claim: string, broken: string])[] = [
  [
    "reserved = settled + released in each ended row",
    "outcome IS NOT NULL AND reserved <> settled + released",
  ],
  ["cached input is within the input", "cached_input > input"],
  ["input written to a cache is within the input", "cache_write > input"],
  ["reasoning is within the output", "reasoning > output"],
  [
    "nothing is paid for what the cache answered",
    "cache = 'hit' AND (paid_input + paid_output > 0 OR cost > 0)",
  ],
];

/** Relative tolerance for sums of USD: floating-point addition depends on the order of the terms. */
const USD_TOLERANCE = 1e-6;

/** Compares the rows with the totals, which are counted independently, and with the daily sums. Writes nothing. */
export function audit(database: Database, isRunning: (process: number) => boolean): AuditReport {
  return database.transaction(() => {
    const columns = SUM_COLUMNS.map((column) => `${SUMS[column]} AS ${column}`).join(", ");
    const rows = database.query(`SELECT ${columns} FROM requests`).get() as Sums;
    const totals = database.query("SELECT * FROM totals WHERE name = ?");
    const [booked, pruned] = [totals.get("booked") as Totals, totals.get("pruned") as Totals];
    const open = openRows(database, isRunning);
    const checks = [
      balance(booked, open.running + open.left),
      ...SUM_COLUMNS.map((column) => rowsMatch(column, rows, { booked, pruned })),
      ...ROW_RULES.map(([claim, broken]) => noRow(database, claim, broken)),
      { claim: `no request is left open by a process that is gone (${open.left})`, holds: open.left === 0 },
      noneTwice(database),
      daysMatch(database, pruned.until / DAY_MS),
    ];
    return {
      checks,
      rows: rows.admitted,
      pruned: pruned.admitted,
      running: open.running,
      dropped: booked.dropped,
    };
  })();
}

function openRows(database: Database, isRunning: (process: number) => boolean) {
  const found = database
    .query<{ process: number; count: number; known: number }, []>(
      `SELECT process, count(*) AS count, process IN (SELECT id FROM processes) AS known
       FROM requests WHERE outcome IS NULL GROUP BY process`,
    )
    .all();
  const open = { running: 0, left: 0 };
  for (const { process, count, known } of found) {
    open[known === 1 && isRunning(process) ? "running" : "left"] += count;
  }
  return open;
}

function balance(booked: Totals, open: number): AuditCheck {
  const { admitted, ok, client_abort, upstream_error, truncated, crashed } = booked;
  const ended = ok + client_abort + upstream_error + truncated + crashed;
  return {
    claim: `admitted ${admitted} = ok ${ok} + client_abort ${client_abort} + upstream_error ${upstream_error} + truncated ${truncated} + crashed ${crashed} + open ${open}`,
    holds: admitted === ended + open,
  };
}

function rowsMatch(
  column: SumColumn,
  rows: Sums,
  { booked, pruned }: { readonly booked: Sums; readonly pruned: Sums },
): AuditCheck {
  const counted = rows[column] + pruned[column];
  const tolerance = column === "cost" ? USD_TOLERANCE * Math.max(1, counted) : 0;
  return {
    claim: `${column}: ${counted} in the rows, ${booked[column]} counted`,
    holds: Math.abs(counted - booked[column]) <= tolerance,
  };
}

function noRow(database: Database, claim: string, broken: string): AuditCheck {
  const { count } = database.query(`SELECT count(*) AS count FROM requests WHERE ${broken}`).get() as {
    count: number;
  };
  return { claim: count === 0 ? claim : `${claim} (not in ${count} rows)`, holds: count === 0 };
}

/** Finds requests that have two rows, which the primary key doesn't prevent. */
function noneTwice(database: Database): AuditCheck {
  const { count } = database
    .query(
      `SELECT count(*) AS count FROM (SELECT 1 FROM requests WHERE total_ms IS NOT NULL
         GROUP BY at, request, key, total_ms HAVING count(*) > 1)`,
    )
    .get() as { count: number };
  return { claim: `no request is booked twice (${count})`, holds: count === 0 };
}

/** Compares the daily sums with the rows. Days whose rows were pruned, even partly, are skipped. */
function daysMatch(database: Database, firstDay: number): AuditCheck {
  const sums = DAY_COLUMNS.map((column) => `${DAY_SUMS[column]} AS ${column}`).join(", ");
  const differs = DAY_COLUMNS.map((column) =>
    column === "cost"
      ? `abs(days.cost - coalesce(booked.cost, 0)) > ${USD_TOLERANCE} * max(1, days.cost)`
      : `days.${column} <> coalesce(booked.${column}, 0)`,
  ).join(" OR ");
  const { wrong, missing, all } = database
    .query(
      `WITH booked AS (SELECT at / ${DAY_MS} AS day, key, model, coalesce(upstream, '') AS upstream, ${sums}
         FROM requests WHERE outcome IS NOT NULL AND at / ${DAY_MS} >= ?1 GROUP BY 1, 2, 3, 4)
       SELECT count(*) AS "all", count(*) FILTER (WHERE ${differs}) AS wrong,
         (SELECT count(*) FROM booked) - count(booked.day) AS missing
       FROM days LEFT JOIN booked USING (day, key, model, upstream) WHERE days.day >= ?1`,
    )
    .get(firstDay) as { all: number; wrong: number; missing: number };
  return {
    claim: `daily sums = sums of the rows, where those are kept (${all} lines, ${wrong} differ, ${missing} missing)`,
    holds: wrong === 0 && missing === 0,
  };
}
