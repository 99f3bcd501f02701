import type { Database } from "bun:sqlite";
import type { BudgetSettings, LimitSettings } from "../../../config/settings.ts";
import type { KeyStore, ListedKey, StoredKey } from "../../keys/keyring.ts";
import { NameTaken } from "../../keys/keyring.ts";

interface KeyRow {
  readonly hash: string;
  readonly name: string;
  readonly prefix: string;
  /** The three are JSON. */
  readonly models: string;
  readonly limits: string;
  readonly budget: string | null;
  readonly expires: number | null;
  readonly made: number;
}

/** The keys made at run time, in SQLite. */
export class SqliteKeys implements KeyStore {
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

  add({ hash, name, models, expires, limits, budget }: StoredKey, prefix: string): void {
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
    // Another process may have made one since anybody looked.
    if (changes === 0) throw new NameTaken(name);
  }
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
