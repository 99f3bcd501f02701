import type { Database } from "bun:sqlite";
import type { Json, KeyValue, StoredValue } from "../../contract/index.ts";
import type { Seal } from "../seal.ts";

interface Row {
  readonly version: number;
  readonly sealed: Uint8Array;
}

/** One upstream's small state in SQLite: encrypted, and under a version that says whether it has changed. */
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
    if (!row) return undefined;
    return { value: JSON.parse(this.#seal.open(row.sealed, this.#place(key))) as Json, version: row.version };
  }

  async set(
    key: string,
    value: Json,
    options: { readonly ifVersion?: number } = {},
  ): Promise<number | undefined> {
    const sealed = this.#seal.close(JSON.stringify(value), this.#place(key));
    return this.#database
      .transaction(() => {
        const before = this.#row(key)?.version ?? 0;
        if (options.ifVersion !== undefined && options.ifVersion !== before) return undefined;
        this.#database
          .query("INSERT OR REPLACE INTO plugin_state (upstream, key, version, sealed) VALUES (?, ?, ?, ?)")
          .run(this.#upstream, key, before + 1, sealed);
        return before + 1;
      })
      .immediate();
  }

  async delete(key: string): Promise<void> {
    this.#database.query("DELETE FROM plugin_state WHERE upstream = ? AND key = ?").run(this.#upstream, key);
  }

  async keys(prefix = ""): Promise<readonly string[]> {
    return this.#database
      .query<{ key: string }, [string]>("SELECT key FROM plugin_state WHERE upstream = ? ORDER BY key")
      .all(this.#upstream)
      .map(({ key }) => key)
      .filter((key) => key.startsWith(prefix));
  }

  #row(key: string): Row | null {
    return this.#database
      .query<Row, [string, string]>("SELECT version, sealed FROM plugin_state WHERE upstream = ? AND key = ?")
      .get(this.#upstream, key);
  }

  #place(key: string): string {
    return JSON.stringify([this.#upstream, key]);
  }
}
