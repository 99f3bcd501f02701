import { Database } from "bun:sqlite";
import { mkdirSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { StorageSettings } from "../../../config/settings.ts";
import type { KeyStore } from "../../keys/keyring.ts";
import { StartupError } from "../../errors/startup-error.ts";
import type { Storage } from "../storage.ts";
import { migrate } from "./migrations.ts";
import { makePrivate } from "../private-file.ts";
import { Seal } from "../seal.ts";
import { storageSecret } from "../secret.ts";
import { checkDatabase, unusable } from "./check.ts";
import { prepareWriting } from "./checkpoint.ts";
import { SealedState } from "../sealed-state.ts";
import { SqliteKeys } from "./keys.ts";
import { SqliteLedger } from "./ledger.ts";

/** What the secret is checked against at each start. */
const CHECK = "secret_check";

/**
 * Opens the database of gateway.yaml, made when it isn't there yet. Paths start from `directory`.
 * Throws a StartupError when it can't be used; nothing in it is changed then.
 */
export function openSqlite(settings: StorageSettings, directory: string): Storage {
  const file = databaseFile(settings, directory);
  try {
    return new SqliteStorage(file, settings.secret);
  } catch (cause) {
    throw unusable(file, cause);
  }
}

/** Where the database of gateway.yaml lies. */
export function databaseFile({ database }: StorageSettings, directory: string): string {
  return resolve(directory, database.slice("sqlite:".length));
}

class SqliteStorage implements Storage {
  readonly keys: KeyStore;
  readonly ledger: SqliteLedger;
  readonly #database: Database;
  readonly #seal: Seal;

  constructor(file: string, secret: string | undefined) {
    // What lies in a folder made here (the log of the database, too) is its owner's affair only.
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    checkDatabase(file);
    makePrivate(file);
    this.#database = new Database(file, { create: true, strict: true });
    try {
      this.#database.run("PRAGMA busy_timeout = 2000");
      const fresh = prepareTables(this.#database, file);
      this.#seal = new Seal(storageSecret(secret, dirname(file), fresh));
      checkSecret(this.#database, this.#seal);
      this.keys = new SqliteKeys(this.#database);
      this.ledger = SqliteLedger.open(file);
    } catch (error) {
      this.#database.close();
      throw error;
    }
  }

  stateOf(upstream: string): SealedState {
    return new SealedState({ database: this.#database, seal: this.#seal, upstream });
  }

  close(): void {
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
