import { Database } from "bun:sqlite";
import { mkdirSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { StorageSettings } from "../../config/settings.ts";
import type { KeyStore, ListedKey, StoredKey } from "../state/keyring.ts";
import { StartupError } from "../state/startup-error.ts";
import type { Storage } from "../state/storage.ts";
import { Seal } from "./seal.ts";
import { storageSecret } from "./secret.ts";
import { SealedState } from "./sealed-state.ts";

/** The version of the tables below. */
const SCHEMA_VERSION = 1;
const SCHEMA = `
  CREATE TABLE settings (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
  CREATE TABLE keys (
    hash TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, prefix TEXT NOT NULL,
    models TEXT NOT NULL, expires INTEGER, made INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE TABLE plugin_state (
    upstream TEXT NOT NULL, key TEXT NOT NULL, version INTEGER NOT NULL, sealed BLOB NOT NULL,
    PRIMARY KEY (upstream, key)
  ) WITHOUT ROWID;
`;

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
    if (cause instanceof StartupError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new StartupError(`the database ${file} can't be used: ${reason} (storage.database)`, { cause });
  }
}

/** Where the database of gateway.yaml lies. */
export function databaseFile({ database }: StorageSettings, directory: string): string {
  return resolve(directory, database.slice("sqlite:".length));
}

class SqliteStorage implements Storage {
  readonly keys: KeyStore;
  readonly #database: Database;
  readonly #seal: Seal;

  constructor(file: string, secret: string | undefined) {
    // What lies in a folder made here (the log of the database, too) is its owner's affair only.
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    this.#database = new Database(file, { create: true, strict: true });
    try {
      this.#database.run("PRAGMA busy_timeout = 2000");
      const fresh = prepareTables(this.#database, file);
      this.#seal = new Seal(storageSecret(secret, dirname(file), fresh));
      checkSecret(this.#database, this.#seal);
      this.keys = new SqliteKeys(this.#database);
    } catch (error) {
      this.#database.close();
      throw error;
    }
  }

  stateOf(upstream: string): SealedState {
    return new SealedState({ database: this.#database, seal: this.#seal, upstream });
  }

  close(): void {
    this.#database.close();
  }
}

/** True if the tables were made just now. */
function prepareTables(database: Database, file: string): boolean {
  database.run("PRAGMA journal_mode = WAL");
  // With WAL, NORMAL can lose the last commits on power loss, but never corrupts.
  database.run("PRAGMA synchronous = NORMAL");
  return database
    .transaction(() => {
      const { user_version: version } = database.query("PRAGMA user_version").get() as {
        user_version: number;
      };
      if (version > SCHEMA_VERSION) {
        throw new StartupError(
          `the database ${file} was written by a newer Modelyard; use that, or another file`,
        );
      }
      if (version === SCHEMA_VERSION) return false;
      database.run(SCHEMA);
      database.run(`PRAGMA user_version = ${SCHEMA_VERSION}`);
      return true;
    })
    .immediate();
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

interface KeyRow {
  hash: string;
  name: string;
  prefix: string;
  models: string;
  expires: number | null;
  made: number;
}

class SqliteKeys implements KeyStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  find(hash: string): StoredKey | undefined {
    const row = this.#database.query<KeyRow, [string]>("SELECT * FROM keys WHERE hash = ?").get(hash);
    return row ? listed(row) : undefined;
  }

  list(): readonly ListedKey[] {
    return this.#database.query<KeyRow, []>("SELECT * FROM keys ORDER BY made, name").all().map(listed);
  }

  delete(name: string): boolean {
    return this.#database.query("DELETE FROM keys WHERE name = ?").run(name).changes > 0;
  }

  add({ hash, name, models, expires }: StoredKey, prefix: string): void {
    this.#database
      .query("INSERT INTO keys (hash, name, prefix, models, expires, made) VALUES (?, ?, ?, ?, ?, ?)")
      .run(hash, name, prefix, JSON.stringify(models), expires ?? null, Date.now());
  }
}

function listed({ models, expires, ...row }: KeyRow): ListedKey {
  return { ...row, models: JSON.parse(models) as string[], expires: expires ?? undefined };
}
