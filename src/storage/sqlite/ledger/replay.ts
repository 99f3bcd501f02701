import type { Database } from "bun:sqlite";
import { LedgerCounts } from "../../../ledger/ledger-page.ts";
import type { LedgerRecord } from "../../../ledger/ledger-record.ts";
import { readRecord } from "../../../ledger/ledger-record.ts";
import type { Admitted } from "../../../ledger/ledger-row.ts";
import type { LedgerRow, LedgerSums } from "../../../ledger/ledger-store.ts";
import type { WriteAheadRecord } from "../../../ledger/write-ahead.ts";

/** Rows of a write-ahead file that are missing in the database, or open there but closed in the file. */
export interface LeftRows {
  readonly rows: readonly LedgerRow[];
  readonly counts: LedgerSums;
}

/**
 * Returns the rows of a process's write-ahead records that the database lacks or still has open. Rows that are complete
 * in the database are left out, so that a file can be replayed twice.
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
    // An end without its beginning doesn't say whose request it was.
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
