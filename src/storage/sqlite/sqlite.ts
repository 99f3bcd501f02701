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

/** What the secret is checked against at each start. */
const CHECK = "secret_check";

/**
 * Opens a database, made when it isn't there yet. Without a `secret` plugins' state is sealed with the one in the file
 * beside it. Throws a StartupError when it can't be used; nothing in it is changed then.
 */
export function openSqlite(file: string, secret: string | undefined): Storage {
  try {
    // What lies in a folder made here (the log of the database, too) is its owner's affair only.
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

/** Opens a database in memory, which is gone when it is closed. */
export function openSqliteInMemory(): Storage {
  const database = new Database(":memory:", { strict: true });
  migrate(database, "in memory");
  const ledger = new SqliteLedger(database, undefined);
  return new SqliteStorage({ database, seal: new Seal(crypto.randomUUID()), ledger });
}

interface Parts {
  readonly database: Database;
  readonly seal: Seal;
  /** On the same connection, or one of its own. */
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

/** True if the tables were made just now. */
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
