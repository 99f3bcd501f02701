import { Database } from "bun:sqlite";
import type { AuditReport, UsageQuery, UsageRow } from "../../../ledger/ledger-store.ts";
import { StartupError } from "../../../errors/startup-error.ts";
import { unusable } from "../check.ts";
import { audit } from "./audit.ts";
import { isRunning } from "./process-lock.ts";
import { usageOf } from "./usage.ts";

/** A ledger file that is open for synchronous reads. */
export interface LedgerFile extends Disposable {
  usage(query: UsageQuery): readonly UsageRow[];
  audit(): AuditReport;
}

/** Opens a ledger file read-only; a gateway may be writing to it. Throws a StartupError if it can't be read. */
export function openLedgerFile(file: string): LedgerFile {
  const database = openReadOnly(file);
  return {
    usage: (query) => usageOf(database, query),
    audit: () => audit(database, (id) => isRunning(file, id)),
    [Symbol.dispose]: () => database.close(),
  };
}

function openReadOnly(file: string): Database {
  let database: Database | undefined;
  try {
    database = new Database(file, { readonly: true, strict: true });
    database.run("PRAGMA busy_timeout = 2000");
    if (database.query("SELECT 1 FROM sqlite_master WHERE name = 'requests'").get()) return database;
  } catch (cause) {
    database?.close();
    throw unusable(file, cause);
  }
  database.close();
  throw new StartupError(
    `the database ${file} has no usage ledger yet; start the gateway once, which makes it`,
  );
}
