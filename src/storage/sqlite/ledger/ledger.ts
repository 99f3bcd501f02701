import { Database } from "bun:sqlite";
import type { PastAdmission, Spent } from "../../../ledger/ledger-row.ts";
import type {
  AuditReport,
  LedgerBatch,
  WriterStart,
  LedgerStore,
  LedgerSums,
  UsageQuery,
  UsageRow,
} from "../../../ledger/ledger-store.ts";
import { isBusy, unusable } from "../check.ts";
import { Checkpoints, prepareWriting } from "../checkpoint.ts";
import { audit } from "./audit.ts";
import { DAY_MS, SUM_COLUMNS, SUMS, sumOf } from "./columns.ts";
import { isRunning, ProcessLock, removeLock } from "./process-lock.ts";
import { WorkerLedgerReader } from "./worker-reader.ts";
import { leftRows } from "./replay.ts";
import { addingDays, RowWriter } from "./row-writer.ts";
import { usageOf } from "./usage.ts";
import {
  hasWriteAhead,
  readWriteAhead,
  removeWriteAhead,
  setAside,
  WriteAheadFile,
} from "../../write-ahead-file.ts";

/** Number of rows deleted in one transaction. */
const PRUNE_ROWS = 500;

/** Stores the usage ledger in SQLite. Its connection never waits for a lock while requests run. */
export class SqliteLedger implements LedgerStore {
  readonly #database: Database;
  /** Undefined for a database in memory. */
  readonly #file: string | undefined;
  readonly #rows: RowWriter;
  readonly #checkpoints: Checkpoints | undefined;
  readonly #reads: WorkerLedgerReader | undefined;
  #process: { readonly id: number; readonly lock: ProcessLock | undefined } | undefined;

  /** Opens a connection to a database whose tables are up to date. */
  static open(file: string): SqliteLedger {
    const database = new Database(file, { strict: true });
    prepareWriting(database);
    return new SqliteLedger(database, file);
  }

  /** Takes a connection to a database whose tables are up to date; `file` is undefined for one in memory. */
  constructor(database: Database, file: string | undefined) {
    this.#database = database;
    this.#file = file;
    this.#rows = new RowWriter(database);
    this.#checkpoints = file === undefined ? undefined : new Checkpoints(file);
    this.#reads = file === undefined ? undefined : new WorkerLedgerReader(file);
  }

  begin(): WriterStart {
    try {
      this.#database.run("PRAGMA busy_timeout = 2000");
      const begun = this.#database.transaction(() => this.#begin()).immediate();
      // From now on streams run, and waiting for a lock would block the event loop.
      this.#database.run("PRAGMA busy_timeout = 0");
      // After the commit only: if it fails, the next start must find these files again.
      const damaged = begun.damaged.map(setAside);
      for (const id of begun.left) this.#forget(id);
      const [file, process] = [this.#file, this.#process];
      const ahead = file && process ? new WriteAheadFile(aheadFile(file, process.id)) : undefined;
      return { ...begun, damaged, ahead };
    } catch (cause) {
      throw unusable(this.#file ?? "in memory", cause);
    }
  }

  write({ number, rows, counts, dropped }: LedgerBatch): boolean {
    const process = this.#process?.id;
    if (process === undefined) throw new Error("the ledger has no writer yet; begin() comes first");
    const isWritten = this.#atOnce(() => {
      const { changes } = this.#database
        .query("UPDATE processes SET batch = ? WHERE id = ? AND batch < ?")
        .run(number, process, number);
      // A commit that reported an error may have succeeded.
      if (changes === 0) return;
      this.#rows.write(process, rows);
      this.#count(counts, dropped);
    });
    if (isWritten) this.#checkpoints?.wrote(rows.length);
    return isWritten;
  }

  async spentSince(key: string, since: number): Promise<Spent> {
    const found = this.#database
      .query<Spent, [string, number]>(
        "SELECT coalesce(sum(cost), 0) AS usd, coalesce(sum(input + output), 0) AS tokens FROM days WHERE key = ? AND day >= ?",
      )
      .get(key, Math.floor(since / DAY_MS));
    return found ?? { usd: 0, tokens: 0 };
  }

  async *admissionsSince(since: number): AsyncIterable<PastAdmission> {
    yield* this.#database
      .query<PastAdmission, [number]>(
        "SELECT key, at, coalesce(settled, reserved) AS tokens FROM requests WHERE at >= ? ORDER BY at",
      )
      .iterate(since);
  }

  prune(before: number): number {
    const until = Math.floor(before / DAY_MS) * DAY_MS;
    let deleted = 0;
    this.#atOnce(() => {
      deleted = this.#prune(until);
    });
    return deleted;
  }

  /** Reads in a worker, except for a database in memory, which only this connection can see. */
  async usage(query: UsageQuery): Promise<readonly UsageRow[]> {
    return this.#reads?.usage(query) ?? usageOf(this.#database, query);
  }

  async audit(): Promise<AuditReport> {
    return this.#reads?.audit() ?? audit(this.#database, (id) => this.#isRunning(id));
  }

  close(): void {
    this.#process?.lock?.[Symbol.dispose]();
    this.#process = undefined;
    this.#checkpoints?.[Symbol.dispose]();
    this.#reads?.[Symbol.dispose]();
    this.#rows[Symbol.dispose]();
    this.#database.close();
  }

  /** Runs a transaction. Returns false if another connection holds the lock. */
  #atOnce(run: () => void): boolean {
    try {
      this.#database.transaction(run).immediate();
      return true;
    } catch (error) {
      if (isBusy(error)) return false;
      throw error;
    }
  }

  /** Takes a process id, and books what processes that ended without closing their ledger (`left`) have left. */
  #begin() {
    const id = this.#takeNumber();
    // Within the transaction, so that other processes never see this one without its lock.
    this.#process = { id, lock: this.#file === undefined ? undefined : new ProcessLock(this.#file, id) };
    const others = this.#database.query<{ id: number }, []>("SELECT id FROM processes").all();
    const left = others.map((other) => other.id).filter((other) => !this.#isRunning(other));
    const damaged: string[] = [];
    let [crashed, recovered] = [0, 0];
    for (const other of left) {
      recovered += this.#recover(other, damaged);
      crashed += this.#closeRowsOf(other);
    }
    return { crashed, recovered, damaged, left };
  }

  /** Returns a process id without write-ahead files. After a power failure the database may have lost ids that were used. */
  #takeNumber(): number {
    const insert = this.#database.query<{ id: number }, [number, number]>(
      "INSERT INTO processes (pid, started) VALUES (?, ?) RETURNING id",
    );
    for (;;) {
      const id = insert.get(process.pid, Date.now())?.id ?? 0;
      if (this.#file === undefined || !hasWriteAhead(aheadFile(this.#file, id))) return id;
    }
  }

  /** Stores the write-ahead records of an ended process. Returns the number of rows. */
  #recover(id: number, damaged: string[]): number {
    if (this.#file === undefined) return 0;
    const ahead = readWriteAhead(aheadFile(this.#file, id));
    damaged.push(...ahead.damaged);
    const { rows, counts } = leftRows(this.#database, id, ahead.records);
    this.#rows.write(id, rows);
    this.#count(counts, 0);
    return rows.length;
  }

  #forget(id: number): void {
    if (this.#file === undefined) return;
    removeWriteAhead(aheadFile(this.#file, id));
    removeLock(this.#file, id);
  }

  #count(counts: LedgerSums, dropped: number): void {
    const set = SUM_COLUMNS.map((column) => `${column} = ${column} + ?`).join(", ");
    this.#database
      .query(`UPDATE totals SET dropped = dropped + ?, ${set} WHERE name = 'booked'`)
      .run(dropped, ...SUM_COLUMNS.map((column) => sumOf(counts, column)));
  }

  #isRunning(id: number): boolean {
    return id === this.#process?.id || (this.#file !== undefined && isRunning(this.#file, id));
  }

  #closeRowsOf(id: number): number {
    const running = "FROM requests WHERE process = ? AND outcome IS NULL";
    const { count, reserved } = this.#database
      .query(`SELECT count(*) AS count, coalesce(sum(reserved), 0) AS reserved ${running}`)
      .get(id) as { count: number; reserved: number };
    this.#database
      .query(
        `INSERT INTO days (day, key, model, upstream, requests, ok, client_abort, upstream_error, truncated, crashed,
           hits, saved, input, cached_input, cache_write, output, reasoning, cost, unpriced)
         SELECT at / ${DAY_MS}, key, model, '', count(*), 0, 0, 0, 0, count(*), 0, 0, 0, 0, 0, 0, 0, 0, count(*)
         ${running} GROUP BY 1, 2, 3 ${addingDays()}`,
      )
      .run(id);
    // How much was used is unknown, so everything reserved stays charged to the limit until its minute is over.
    this.#database
      .query(
        "UPDATE requests SET outcome = 'crashed', settled = reserved, released = 0 WHERE process = ? AND outcome IS NULL",
      )
      .run(id);
    this.#database
      .query(
        "UPDATE totals SET crashed = crashed + ?, unpriced = unpriced + ?, settled = settled + ? WHERE name = 'booked'",
      )
      .run(count, count, reserved);
    this.#database.query("DELETE FROM processes WHERE id = ?").run(id);
    return count;
  }

  #prune(until: number): number {
    const old = "FROM requests WHERE at < ? AND outcome IS NOT NULL ORDER BY at, process, number";
    const sums = this.#database
      .query(
        `SELECT ${SUM_COLUMNS.map((column) => `${SUMS[column]} AS ${column}`).join(", ")}
         FROM (SELECT * ${old} LIMIT ${PRUNE_ROWS})`,
      )
      .get(until) as Record<string, number>;
    const deleted = sums["admitted"] ?? 0;
    if (deleted === 0) return 0;
    this.#database
      .query(
        `DELETE FROM requests WHERE (process, number) IN (SELECT process, number ${old} LIMIT ${PRUNE_ROWS})`,
      )
      .run(until);
    const set = SUM_COLUMNS.map((column) => `${column} = ${column} + ?`).join(", ");
    this.#database
      .query(`UPDATE totals SET until = max(until, ?), ${set} WHERE name = 'pruned'`)
      .run(until, ...SUM_COLUMNS.map((column) => sums[column] ?? 0));
    return deleted;
  }
}

/** Returns the base path of a process's write-ahead files. */
function aheadFile(database: string, id: number): string {
  return `${database}-ahead-${id}`;
}
