import type { Database } from "bun:sqlite";
import type { Json, KeyValue, SetOptions, StoredValue } from "../../contract/index.ts";
import type { Seal } from "../seal.ts";

const DAY_MS = 86_400_000;

interface Row {
  readonly version: number;
  readonly sealed: Uint8Array;
  /** Milliseconds since 1970; null: never. */
  readonly expires: number | null;
}

/** Stores the state of one upstream in SQLite, encrypted and versioned. */
export class SqlitePluginState implements KeyValue {
  readonly #database: Database;
  readonly #seal: Seal;
  readonly #upstream: string;

  constructor({ database, seal, upstream }: { database: Database; seal: Seal; upstream: string }) {
    this.#database = database;
    this.#seal = seal;
    this.#upstream = upstream;
  }

  async get(key: string): Promise<StoredValue | undefined> {
    const row = this.#row(key);
    if (!row || isOver(row)) return undefined;
    return { value: JSON.parse(this.#seal.open(row.sealed, this.#place(key))) as Json, version: row.version };
  }

  async set(
    key: string,
    value: Json,
    { ifVersion, expiresIn }: SetOptions = {},
  ): Promise<number | undefined> {
    const sealed = this.#seal.close(JSON.stringify(value), this.#place(key));
    return this.#database
      .transaction(() => {
        // By then nobody holds the versions of what expired.
        if (expiresIn !== undefined)
          this.#database.query("DELETE FROM plugin_state WHERE expires < ?").run(Date.now() - DAY_MS);
        const row = this.#row(key);
        const before = row && !isOver(row) ? row.version : 0;
        if (ifVersion !== undefined && ifVersion !== before) return undefined;
        const version = (row?.version ?? 0) + 1;
        const expires = expiresIn === undefined ? null : Date.now() + expiresIn;
        this.#database
          .query(
            "INSERT OR REPLACE INTO plugin_state (upstream, key, version, sealed, expires) VALUES (?, ?, ?, ?, ?)",
          )
          .run(this.#upstream, key, version, sealed, expires);
        return version;
      })
      .immediate();
  }

  async delete(key: string): Promise<void> {
    this.#database.query("DELETE FROM plugin_state WHERE upstream = ? AND key = ?").run(this.#upstream, key);
  }

  async keys(prefix = ""): Promise<readonly string[]> {
    return this.#database
      .query<{ key: string }, [string, number]>(
        "SELECT key FROM plugin_state WHERE upstream = ? AND (expires IS NULL OR expires > ?) ORDER BY key",
      )
      .all(this.#upstream, Date.now())
      .map(({ key }) => key)
      .filter((key) => key.startsWith(prefix));
  }

  #row(key: string): Row | null {
    return this.#database
      .query<Row, [string, string]>(
        "SELECT version, sealed, expires FROM plugin_state WHERE upstream = ? AND key = ?",
      )
      .get(this.#upstream, key);
  }

  #place(key: string): string {
    return JSON.stringify([this.#upstream, key]);
  }
}

function isOver({ expires }: Row): boolean {
  return expires !== null && expires <= Date.now();
}
