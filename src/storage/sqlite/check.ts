import { Database } from "bun:sqlite";
import { statSync } from "node:fs";
import { messageOf } from "../../log.ts";
import { StartupError } from "../../errors/startup-error.ts";
import { writingAdvice } from "../private-file.ts";

/** Databases up to this size are checked completely, at about 2 ms per MiB. */
const CHECKED_BYTES = 16 * 1024 * 1024;
/** How long the check waits for the lock of another process. */
const BUSY_MS = 2_000;

/**
 * Checks a database for corruption on a read-only connection, so that a corrupt file isn't changed. In a large database
 * the ledger's rows are skipped. Throws a StartupError if the database is corrupt or can't be read.
 */
export function checkDatabase(file: string): void {
  const bytes = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  if (bytes === 0) return;
  try {
    using database = new Database(file, { readonly: true });
    database.run(`PRAGMA busy_timeout = ${BUSY_MS}`);
    for (const check of checks(database, bytes)) {
      const [found] = database.query<{ quick_check: string }, []>(check).all();
      if (found?.quick_check !== "ok") throw damaged(file, found?.quick_check ?? "nothing was found");
    }
  } catch (cause) {
    throw unusable(file, cause);
  }
}

/** Returns a StartupError that states why a database can't be used, and the remedy. */
export function unusable(file: string, cause: unknown): StartupError {
  if (cause instanceof StartupError) return cause;
  const reason = messageOf(cause);
  const code = codeOf(cause);
  if (code.startsWith("SQLITE_CORRUPT") || code === "SQLITE_NOTADB") return damaged(file, reason, cause);
  const mend = advice(code) || writingAdvice(file);
  return new StartupError(`the database ${file} can't be used: ${reason}${mend} (storage.database)`, {
    cause,
  });
}

/** Returns whether an error means that another connection holds the lock. */
export function isBusy(error: unknown): boolean {
  return codeOf(error).startsWith("SQLITE_BUSY");
}

function* checks(database: Database, bytes: number): Generator<string> {
  if (bytes <= CHECKED_BYTES) {
    yield "PRAGMA quick_check(1)";
    return;
  }
  const tables = database
    .query<{ name: string }, []>("SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'requests'")
    .all();
  for (const { name } of tables) yield `PRAGMA quick_check("${name}")`;
}

function damaged(file: string, reason: string, cause?: unknown): StartupError {
  // The first line of SQLite's report is a heading.
  const found = reason.split("\n").at(-1) ?? reason;
  return new StartupError(
    `the database ${file} is damaged: ${found}. Nothing in it was changed. Put a backup of it in its place, or move it away (and ${file}-wal, if it is there) to begin anew without the keys and the usage that it holds; sqlite3's .recover and .dump save what can still be read (storage.database)`,
    { cause },
  );
}

function advice(code: string): string {
  if (code.startsWith("SQLITE_BUSY")) return "; another process keeps it so: end that, or name another file";
  if (code === "SQLITE_FULL") return "; make room on the disk";
  // SQLite reports a full disk as an I/O error if it can't create the -shm file.
  if (code.startsWith("SQLITE_IOERR")) return "; see whether the disk is full or broken";
  return "";
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}
