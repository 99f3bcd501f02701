import { Database } from "bun:sqlite";
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import type { KeySource } from "../../keys/keyring.ts";
import { StartupError } from "../../errors/startup-error.ts";
import type { Storage } from "../storage.ts";
import { migrate } from "./migrations.ts";
import { makePrivate } from "../private-file.ts";
import { Seal } from "../seal.ts";
import { storageSecret } from "../secret.ts";
import { checkDatabase, unusable } from "./check.ts";
import { prepareWriting } from "./checkpoint.ts";
import { SqlitePluginState } from "./plugin-state.ts";
import { SqliteKeys } from "./keys.ts";
import { SqliteLedger } from "./ledger/ledger.ts";

/** Name of the encrypted value by which each start verifies the secret. */
const CHECK = "secret_check";

/**
 * Opens a database and creates it if it doesn't exist. Without `secret`, plugin state is encrypted with the content of
 * `secret.key` beside the database. Throws a StartupError, with nothing changed, if the database can't be used.
 */
export function openSqlite(file: string, secret: string | undefined): Storage {
  try {
    // Also protects the files that SQLite creates beside the database later.
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    checkDatabase(file);
    makePrivate(file);
    const database = new Database(file, { create: true, strict: true });
    try {
      database.run("PRAGMA busy_timeout = 2000");
      const fresh = prepareTables(database, file);
      const seal = new Seal(storageSecret(secret, dirname(file), fresh));
      checkSecret(database, seal);
      return new SqliteStorage({ database, seal, ledger: SqliteLedger.open(file) });
    } catch (error) {
      database.close();
      throw error;
    }
  } catch (cause) {
    throw unusable(file, cause);
  }
}

/** Opens a database in memory; closing it discards its content. */
export function openSqliteInMemory(): Storage {
  const database = new Database(":memory:", { strict: true });
  migrate(database, "in memory");
  const ledger = new SqliteLedger(database, undefined);
  return new SqliteStorage({ database, seal: new Seal(crypto.randomUUID()), ledger });
}

interface Parts {
  readonly database: Database;
  readonly seal: Seal;
  /** Uses `database` or a connection of its own; the storage closes both. */
  readonly ledger: SqliteLedger;
}

class SqliteStorage implements Storage {
  readonly keys: KeySource;
  readonly ledger: SqliteLedger;
  readonly #database: Database;
  readonly #seal: Seal;

  constructor({ database, seal, ledger }: Parts) {
    this.#database = database;
    this.#seal = seal;
    this.keys = new SqliteKeys(database);
    this.ledger = ledger;
  }

  stateOf(upstream: string): SqlitePluginState {
    return new SqlitePluginState({ database: this.#database, seal: this.#seal, upstream });
  }

  async close(): Promise<void> {
    this.ledger.close();
    this.#database.close();
  }
}

/** Creates or migrates the tables. Returns true if they didn't exist. */
function prepareTables(database: Database, file: string): boolean {
  database.run("PRAGMA journal_mode = WAL");
  prepareWriting(database);
  return migrate(database, file);
}

function checkSecret(database: Database, seal: Seal): void {
  const row = database.query("SELECT value FROM settings WHERE name = ?").get(CHECK) as {
    value: Uint8Array;
  } | null;
  if (!row) {
    database.query("INSERT INTO settings VALUES (?, ?)").run(CHECK, seal.close(CHECK, CHECK));
    return;
  }
  try {
    seal.open(row.value, CHECK);
  } catch (cause) {
    throw new StartupError(
      "storage.secret (or data/secret.key) is not the one that the database was encrypted with; put the right one back, or move the database away to begin anew",
      { cause },
    );
  }
}
