import { Database } from "bun:sqlite";
import type { BudgetSettings, LimitSettings } from "../../../config/settings.ts";
import type { KeySnapshot, KeySource, ListedKey, StoredKey } from "../../keys/keyring.ts";
import { NameTakenError } from "../../keys/keyring.ts";
import { unusable } from "./check.ts";

interface KeyRow {
  readonly hash: string;
  readonly name: string;
  readonly prefix: string;
  /** JSON, like `limits` and `budget`. */
  readonly models: string;
  readonly limits: string;
  readonly budget: string | null;
  readonly expires: number | null;
  readonly made: number;
}

/** Stores the keys made at run time in SQLite. */
export class SqliteKeys implements KeySource {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async version(): Promise<number> {
    return this.#version();
  }

  async snapshot(): Promise<KeySnapshot> {
    return this.#database.transaction(() => ({
      version: this.#version(),
      keys: listedKeys(this.#database),
    }))();
  }

  async delete(name: string): Promise<boolean> {
    return this.#database.query("DELETE FROM keys WHERE name = ?").run(name).changes > 0;
  }

  async add({ hash, name, models, expires, limits, budget }: StoredKey, prefix: string): Promise<void> {
    const { changes } = this.#database
      .query(
        "INSERT INTO keys (hash, name, prefix, models, limits, budget, expires, made) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO NOTHING",
      )
      .run(
        hash,
        name,
        prefix,
        JSON.stringify(models),
        JSON.stringify(limits),
        budget ? JSON.stringify(budget) : null,
        expires ?? null,
        Date.now(),
      );
    // Another process may have added the name meanwhile.
    if (changes === 0) throw new NameTakenError(name);
  }

  #version(): number {
    const found = this.#database.query<{ version: number }, []>("SELECT version FROM keys_version").get();
    if (!found) throw new Error("the version of the keys is missing in the database");
    return found.version;
  }
}

/**
 * Reads the keys of a database without changing it; a gateway may be writing to it. Returns none if an older version,
 * without budgets, made it. Throws a StartupError if it can't be read.
 */
export function readKeys(file: string): readonly ListedKey[] {
  try {
    using database = new Database(file, { readonly: true, strict: true });
    database.run("PRAGMA busy_timeout = 2000");
    const budget = database.query("SELECT 1 FROM pragma_table_info('keys') WHERE name = 'budget'").get();
    return budget ? listedKeys(database) : [];
  } catch (cause) {
    throw unusable(file, cause);
  }
}

function listedKeys(database: Database): readonly ListedKey[] {
  return database.query<KeyRow, []>("SELECT * FROM keys ORDER BY made, name").all().map(listed);
}

function listed({ models, limits, budget, expires, ...row }: KeyRow): ListedKey {
  return {
    ...row,
    models: JSON.parse(models) as string[],
    limits: JSON.parse(limits) as LimitSettings,
    budget: budget === null ? undefined : (JSON.parse(budget) as BudgetSettings),
    expires: expires ?? undefined,
  };
}
