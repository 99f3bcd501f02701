import type { Database } from "bun:sqlite";
import { LedgerCounts } from "../../../ledger/ledger-page.ts";
import type { LedgerRecord } from "../../../ledger/ledger-record.ts";
import { readRecord } from "../../../ledger/ledger-record.ts";
import type { Admitted } from "../../../ledger/ledger-row.ts";
import type { LedgerRow, LedgerSums } from "../../../ledger/ledger-store.ts";
import type { WriteAheadRecord } from "../../../ledger/write-ahead.ts";

/** What a process has left in its write-ahead file that the database doesn't have. */
export interface LeftRows {
  readonly rows: readonly LedgerRow[];
  readonly counts: LedgerSums;
}

/**
 * What of the records of a process's write-ahead file is missing in the database, rows that are there but open included.
 * Whatever is there already stays as it is, so that reading them twice does no harm.
 */
export function leftRows(
  database: Database,
  process: number,
  records: readonly WriteAheadRecord[],
): LeftRows {
  const rows: LedgerRow[] = [];
  const counts = new LedgerCounts();
  const find = database.query<StoredRow, [number, number]>(
    "SELECT request, key, model, endpoint, at, reserved, outcome FROM requests WHERE process = ? AND number = ?",
  );
  for (const [number, { admitted: begun, closed }] of byNumber(records)) {
    const stored = find.get(process, number);
    const admitted = stored ?? begun;
    // Of an end without a beginning nothing more is known than that it was.
    if (!admitted || stored?.outcome || (stored && !closed)) continue;
    if (!stored) counts.open(admitted);
    if (closed) counts.close(admitted, closed);
    rows.push({ number, admitted, closed, isWritten: stored !== null });
  }
  return { rows, counts };
}

interface StoredRow extends Admitted {
  readonly outcome: string | null;
}

type Known = Partial<Pick<Extract<LedgerRecord, { admitted: unknown }>, "admitted">> & {
  closed?: LedgerRow["closed"];
};

function byNumber(records: readonly WriteAheadRecord[]): Map<number, Known> {
  const known = new Map<number, Known>();
  for (const { number, ...said } of records.flatMap((record) => readRecord(record) ?? []))
    known.set(number, { ...known.get(number), ...said });
  return known;
}
