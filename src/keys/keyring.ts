import type { BudgetSettings, LimitSettings } from "../../config/settings.ts";

/** A client's virtual key and its rights. Only the SHA-256 of the key itself is known. */
export interface Caller {
  readonly name: string;
  /** SHA-256 of the key, in lower case hex: no other key has it, not even a later one of the same name. */
  readonly hash: string;
  /** Patterns of its allowed model names. */
  readonly models: readonly string[];
  /** Milliseconds since 1970; undefined: never. */
  readonly expires: number | undefined;
  /** A keyring adds those of `key_defaults` that the key doesn't set. */
  readonly limits: LimitSettings;
  readonly budget: BudgetSettings | undefined;
}

/** A key of gateway.yaml or the database, without defaults. */
export type StoredKey = Caller;

/** Thrown if a key with the name of a new one exists. */
export class NameTakenError extends Error {
  constructor(name: string) {
    super(`there is a key "${name}" already; choose another name`);
    this.name = "NameTakenError";
  }
}

/** A consistent snapshot of the keys made at run time, oldest first. */
export interface KeySnapshot {
  /** Changes with each change of a key. */
  readonly version: number;
  readonly keys: readonly ListedKey[];
}

/** Stores the keys made at run time. Other processes may read and change them, too. */
export interface KeySource {
  /** Resolves with the current version; cheap. */
  version(): Promise<number>;
  snapshot(): Promise<KeySnapshot>;
  /** Adds a key. Rejects with NameTakenError, with nothing changed, if its name is taken. */
  add(key: StoredKey, prefix: string): Promise<void>;
  /** Deletes a key; resolves with false if there is none of this name. */
  delete(name: string): Promise<boolean>;
}

/** A stored key as commands list it. */
export interface ListedKey extends StoredKey {
  /** The key's first characters, for recognition. */
  readonly prefix: string;
  /** Milliseconds since 1970. */
  readonly made: number;
}

/** Finds keys made at run time; implemented by `KeyCache`. */
interface MadeKeys {
  /** Returns a cached key. */
  find(hash: string): Caller | undefined;
  /** Resolves with a stored key. */
  lookUp(hash: string): Promise<Caller | undefined>;
}

/** Options of a `Keyring`. */
export interface KeyringOptions {
  readonly configured: readonly StoredKey[];
  readonly made: MadeKeys;
  /** Limits of keys without their own. */
  readonly defaults: LimitSettings;
  /** Called with each configured key when it is first presented; until then only its hash may be known. */
  readonly onFirstUse: (key: string) => void;
}

/**
 * Finds the caller of a presented key by the key's hash. The lookup's timing can only reveal parts of hashes, which nobody
 * can choose, so it reveals nothing about keys.
 */
export class Keyring {
  readonly #configured: ReadonlyMap<string, Caller>;
  /** Hashes of configured keys that weren't presented yet. */
  readonly #unused: Set<string>;
  readonly #options: KeyringOptions;

  constructor(options: KeyringOptions) {
    const { configured, defaults } = options;
    this.#configured = new Map(configured.map((key) => [key.hash, callerOf(key, defaults)]));
    this.#unused = new Set(this.#configured.keys());
    this.#options = options;
  }

  /** Returns the caller of a configured or cached key: the same object until the key changes. */
  find(key: string): Caller | undefined {
    const hash = hashKey(key);
    const configured = this.#configured.get(hash);
    if (!configured) return this.#options.made.find(hash);
    if (this.#unused.delete(hash)) this.#options.onFirstUse(key);
    return configured;
  }

  /** Resolves with the caller of a stored key, also a new one. Rejects with KeysUnreadableError. */
  lookUp(key: string): Promise<Caller | undefined> {
    return this.#options.made.lookUp(hashKey(key));
  }
}

/** Returns a key's caller, with the limits of `defaults` that it doesn't set. */
export function callerOf(key: Caller, defaults: LimitSettings): Caller {
  const { name, hash, models, expires, limits, budget } = key;
  return { name, hash, models, expires, limits: { ...defaults, ...limits }, budget };
}

/** Returns a key's SHA-256 in lower case hex. */
export function hashKey(key: string): string {
  // Takes a quarter of the time of `createHash`, which makes an object per hash.
  return Bun.SHA256.hash(key, "hex");
}

const MADE_KEY_PREFIX = "sk-my-";
/** Length of the prefix of a made key that may be shown. */
const PREFIX_LENGTH = 10;
/** Matches made keys in a text, also truncated ones, but not their prefixes. */
export const MADE_KEYS: RegExp = new RegExp(`${MADE_KEY_PREFIX}[\\w-]{12,}`, "g");

/** The rights of a new key; omitted ones aren't limited. */
export type Grant = Pick<Caller, "name"> & Partial<Caller>;

/** Creates a random key of 192 bits, stores its hash and rights, and resolves with the key. Rejects with NameTakenError. */
export async function makeKey(
  { name, models = ["*"], expires, limits = {}, budget }: Grant,
  store: Pick<KeySource, "add">,
): Promise<string> {
  const random = Buffer.from(crypto.getRandomValues(new Uint8Array(24))).toString("base64url");
  const key = `${MADE_KEY_PREFIX}${random}`;
  await store.add({ name, hash: hashKey(key), models, expires, limits, budget }, key.slice(0, PREFIX_LENGTH));
  return key;
}
