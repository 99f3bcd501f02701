import { Database } from "bun:sqlite";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { KeySource } from "../../keys/keyring.ts";
import { StartupError } from "../../errors/startup-error.ts";
import type { Storage } from "../storage.ts";
import { migrate } from "./migrations.ts";
import { makePrivate } from "../private-file.ts";
import { Seal } from "../seal.ts";
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
      database.run("PRAGMA journal_mode = WAL");
      prepareWriting(database);
      const fresh = migrate(database, file);
      const seal = new Seal(storageSecret(secret, dirname(file), fresh));
      checkSecret(database, seal);
      return new SqliteStorage(database, seal, SqliteLedger.open(file));
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
  return new SqliteStorage(database, new Seal(crypto.randomUUID()), ledger);
}

class SqliteStorage implements Storage {
  readonly keys: KeySource;
  /** Uses `database` or a connection of its own; the storage closes both. */
  readonly ledger: SqliteLedger;
  readonly #database: Database;
  readonly #seal: Seal;

  constructor(database: Database, seal: Seal, ledger: SqliteLedger) {
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

const SHORTEST = 16;

/**
 * Returns the secret that encrypts plugin state: the configured one, or the content of `secret.key` beside the database.
 * If the database was just created (`fresh`), creates that file, readable by its owner only. Throws a StartupError if
 * the secret is too short, missing or unreadable.
 */
function storageSecret(configured: string | undefined, folder: string, fresh: boolean): string {
  if (configured !== undefined) {
    if (configured.length >= SHORTEST) return configured;
    throw new StartupError(
      `storage.secret has fewer than ${SHORTEST} characters; \`openssl rand -hex 32\` makes a good one`,
    );
  }
  const file = join(folder, "secret.key");
  try {
    return readFileSync(file, "utf8").trim();
  } catch (cause) {
    if (!isMissing(cause))
      throw new StartupError(`the secret in ${file} can't be read: ${String(cause)}`, { cause });
    if (!fresh) {
      throw new StartupError(
        `${file} is missing, and the database was encrypted with it; put it back, set storage.secret to what it held, or move the database away to begin anew`,
        { cause },
      );
    }
  }
  const secret = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("hex");
  // `wx` fails if another gateway, started at the same time, has created the file meanwhile.
  writeFileSync(file, `${secret}\n`, { mode: 0o600, flag: "wx" });
  return secret;
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
