import type { Json, KeyValue, StoredValue } from "../contract/index.ts";
import type { KeyStore, ListedKey, StoredKey } from "../keys/keyring.ts";
import { NameTaken } from "../keys/keyring.ts";
import type { Storage } from "./storage.ts";
import { SqliteLedger } from "./sqlite/ledger.ts";

/** Storage that is gone with the process and touches no disk: for checking a configuration. */
export function memoryStorage(): Storage {
  const states = new Map<string, KeyValue>();
  const ledger = SqliteLedger.inMemory();
  return {
    keys: new MemoryKeys(),
    ledger,
    stateOf(upstream) {
      const state = states.get(upstream) ?? new MemoryState();
      states.set(upstream, state);
      return state;
    },
    close() {
      ledger.close();
      states.clear();
    },
  };
}

class MemoryKeys implements KeyStore {
  #keys: ListedKey[] = [];

  find(hash: string): StoredKey | undefined {
    return this.#keys.find((key) => key.hash === hash);
  }

  list(): readonly ListedKey[] {
    return this.#keys;
  }

  delete(name: string): boolean {
    const before = this.#keys.length;
    this.#keys = this.#keys.filter((key) => key.name !== name);
    return this.#keys.length < before;
  }

  add(key: StoredKey, prefix: string): void {
    if (this.#keys.some(({ name }) => name === key.name)) throw new NameTaken(key.name);
    this.#keys.push({ ...key, prefix, made: Date.now() });
  }
}

class MemoryState implements KeyValue {
  readonly #values = new Map<string, StoredValue>();

  async get(key: string): Promise<StoredValue | undefined> {
    return this.#values.get(key);
  }

  async set(
    key: string,
    value: Json,
    options: { readonly ifVersion?: number } = {},
  ): Promise<number | undefined> {
    const before = this.#values.get(key)?.version ?? 0;
    if (options.ifVersion !== undefined && options.ifVersion !== before) return undefined;
    this.#values.set(key, { value: structuredClone(value) as Json, version: before + 1 });
    return before + 1;
  }

  async delete(key: string): Promise<void> {
    this.#values.delete(key);
  }

  async keys(prefix = ""): Promise<readonly string[]> {
    return [...this.#values.keys()].filter((key) => key.startsWith(prefix)).sort();
  }
}
