import { Database } from "bun:sqlite";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { JsonObject } from "../../src/contract/index.ts";
import { createLogger, type GatewayLogger } from "../../src/log.ts";
import type { AuditReport, UsageQuery, UsageRow } from "../../src/ledger/ledger-store.ts";
import { Ledger, type Admitted, type Closed } from "../../src/ledger/ledger.ts";
import { openLedgerFile } from "../../src/storage/sqlite/ledger/file-reader.ts";
import { openSqlite } from "../../src/storage/sqlite/sqlite.ts";

/** A log that says nothing. */
export const SILENT: GatewayLogger = createLogger({ log: "json", level: "error", redact: () => "" });
export const DAY_MS = 86_400_000;

/** How a request ended that cost something. */
export const CLOSED: Closed = {
  outcome: "ok",
  status: 200,
  upstream: "up",
  attempts: 1,
  usage: { input: 100, cachedInput: 10, output: 50, reasoning: 5 },
  usageSource: "upstream",
  paid: { input: 100, cachedInput: 10, output: 50, reasoning: 5 },
  cost: 0.5,
  cache: "miss",
  settled: 150,
  totalMs: 9,
};

/** A request that was just admitted. */
export function admitted(key = "alice"): Admitted {
  return {
    request: crypto.randomUUID(),
    key,
    model: "m",
    endpoint: "/v1/chat/completions",
    at: Date.now(),
    reserved: 500,
  };
}

/** A folder for a database; removed when it is disposed. */
export class LedgerFolder implements Disposable {
  readonly path: string = mkdtempSync(join(tmpdir(), "modelyard-ledger-"));
  readonly file: string = join(this.path, "test.db");

  /** The database as a gateway opens it, and a ledger that writes to it. */
  open({ log = SILENT, now = Date.now }: { log?: GatewayLogger; now?: () => number } = {}) {
    const storage = openSqlite(this.file, undefined);
    const ledger = new Ledger(storage.ledger, { log, now, retention: DAY_MS, interval: 10 });
    return { storage, ledger };
  }

  /** What somebody else reads in the ledger. */
  audit(): AuditReport {
    using ledger = openLedgerFile(this.file);
    return ledger.audit();
  }

  usage(query: UsageQuery): readonly UsageRow[] {
    using ledger = openLedgerFile(this.file);
    return ledger.usage(query);
  }

  /** Something that uses the database beside the gateway. */
  other<Result>(use: (database: Database) => Result): Result {
    using database = new Database(this.file);
    return use(database);
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** The claims of an audit that don't hold. */
export function broken(report: AuditReport): string[] {
  return report.checks.filter(({ holds }) => !holds).map(({ claim }) => claim);
}

/** What a log was told. */
export interface Told {
  readonly level: string;
  readonly message: string;
  readonly fields: JsonObject;
}

/** A log that remembers. */
export function rememberingLog(): { readonly log: GatewayLogger; readonly told: Told[] } {
  const told: Told[] = [];
  const at = (level: string) => (message: string, fields: JsonObject) =>
    void told.push({ level, message, fields });
  const log = { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
  const whole = { ...log, child: () => whole } as GatewayLogger;
  return { log: whole, told };
}
