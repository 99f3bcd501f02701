import { createHash } from "node:crypto";
import type { BudgetSettings, LimitSettings } from "../../config/settings.ts";

/** A client's virtual key: what it may do. The key itself is known only by its SHA-256. */
export interface Caller {
  readonly name: string;
  /** Patterns of the model names it may ask for. */
  readonly models: readonly string[];
  /** Milliseconds since 1970; undefined: never. */
  readonly expires: number | undefined;
  readonly limits: LimitSettings;
  readonly budget: BudgetSettings | undefined;
}

/** A key of gateway.yaml or of the database. */
export interface StoredKey extends Caller {
  /** SHA-256 of the key, in lower case hex. */
  readonly hash: string;
}

/** Where keys made at run time are kept. */
export interface KeyStore {
  find(hash: string): StoredKey | undefined;
  list(): readonly ListedKey[];
  add(key: StoredKey, prefix: string): void;
  /** True if there was one of this name. */
  delete(name: string): boolean;
}

export interface ListedKey extends StoredKey {
  /** The key's first characters, by which its owner recognises it. */
  readonly prefix: string;
  /** Milliseconds since 1970. */
  readonly made: number;
}

/**
 * Finds the caller behind a presented key. Keys are looked up by their hash, so the time it takes says
 * nothing about any key.
 */
export class Keyring {
  readonly #configured: ReadonlyMap<string, Caller>;
  readonly #store: KeyStore;

  constructor(configured: readonly StoredKey[], store: KeyStore) {
    this.#configured = new Map(configured.map((key) => [key.hash, key]));
    this.#store = store;
  }

  find(key: string): Caller | undefined {
    const hash = hashKey(key);
    return this.#configured.get(hash) ?? this.#store.find(hash);
  }
}

export function hashKey(key: string): string {
  return createHash("sha256").update(key).digest("hex");
}

/** How many characters of a made key may be shown again. */
const PREFIX_LENGTH = 10;

/** Makes a random key of 192 bits, and stores all of it but itself. */
export function makeKey(name: string, store: KeyStore): string {
  const key = `sk-my-${Buffer.from(crypto.getRandomValues(new Uint8Array(24))).toString("base64url")}`;
  store.add(
    { name, hash: hashKey(key), models: ["*"], expires: undefined, limits: {}, budget: undefined },
    key.slice(0, PREFIX_LENGTH),
  );
  return key;
}
