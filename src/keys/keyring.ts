import type { BudgetSettings, LimitSettings } from "../../config/settings.ts";

/** A client's virtual key: what it may do. The key itself is known only by its SHA-256. */
export interface Caller {
  readonly name: string;
  /** SHA-256 of the key, in lower case hex: no other key has it, not even a later one of the same name. */
  readonly hash: string;
  /** Patterns of the model names it may ask for. */
  readonly models: readonly string[];
  /** Milliseconds since 1970; undefined: never. */
  readonly expires: number | undefined;
  /** What a keyring gives has those of `key_defaults` where the key has none of its own. */
  readonly limits: LimitSettings;
  readonly budget: BudgetSettings | undefined;
}

/** A key of gateway.yaml or of the database, with its own limits only. */
export type StoredKey = Caller;

/** Another key has the name that a new one was to have. */
export class NameTakenError extends Error {
  constructor(name: string) {
    super(`there is a key "${name}" already; choose another name`);
    this.name = "NameTaken";
  }
}

/** All keys made at run time, oldest first, as they were at one moment. */
export interface KeySnapshot {
  /** Another number after each change of a key. */
  readonly version: number;
  readonly keys: readonly ListedKey[];
}

/** Where keys made at run time are kept. Other processes may read and change them, too. */
export interface KeySource {
  /** The version that `snapshot` would have now; cheap. */
  version(): Promise<number>;
  snapshot(): Promise<KeySnapshot>;
  /** Rejects with NameTaken, with nothing changed, if there is a key of this name. */
  add(key: StoredKey, prefix: string): Promise<void>;
  /** True if there was a key of this name. */
  delete(name: string): Promise<boolean>;
}

export interface ListedKey extends StoredKey {
  /** The key's first characters, by which its owner recognises it. */
  readonly prefix: string;
  /** Milliseconds since 1970. */
  readonly made: number;
}

/** The keys made at run time, as `KeyCache` has them. */
interface MadeKeys {
  /** In memory. */
  find(hash: string): Caller | undefined;
  /** In the store. */
  lookUp(hash: string): Promise<Caller | undefined>;
}

/** What a keyring is made from. */
export interface KeyringOptions {
  readonly configured: readonly StoredKey[];
  readonly made: MadeKeys;
  /** Limits of keys that don't set them themselves. */
  readonly defaults: LimitSettings;
  /** Called once for each configured key, with the key, when it is first presented: until then only its hash may be known. */
  readonly onFirstUse: (key: string) => void;
}

/**
 * Finds the caller behind a presented key. Keys are looked up by their hash: the time this takes tells at most how
 * much of a hash is right, and nobody can choose keys by their hashes, so it says nothing about any key.
 */
export class Keyring {
  readonly #configured: ReadonlyMap<string, Caller>;
  /** Hashes of configured keys. */
  readonly #unused: Set<string>;
  readonly #options: KeyringOptions;

  constructor(options: KeyringOptions) {
    const { configured, defaults } = options;
    this.#configured = new Map(configured.map((key) => [key.hash, callerOf(key, defaults)]));
    this.#unused = new Set(this.#configured.keys());
    this.#options = options;
  }

  /** Returns the caller of a key that is in memory: the same object as long as nothing about the key changes. */
  find(key: string): Caller | undefined {
    const hash = hashKey(key);
    const configured = this.#configured.get(hash);
    if (!configured) return this.#options.made.find(hash);
    if (this.#unused.delete(hash)) this.#options.onFirstUse(key);
    return configured;
  }

  /** Looks in the store for a key that isn't in memory: a new one is good at once. Rejects with KeysUnreadable. */
  lookUp(key: string): Promise<Caller | undefined> {
    return this.#options.made.lookUp(hashKey(key));
  }
}

/** What a key may do, with the limits of `defaults` where it has none of its own. */
export function callerOf(key: Caller, defaults: LimitSettings): Caller {
  const { name, hash, models, expires, limits, budget } = key;
  return { name, hash, models, expires, limits: { ...defaults, ...limits }, budget };
}

/** The key's SHA-256 in lower case hex. */
export function hashKey(key: string): string {
  // Without an object of its own for each hash: a quarter of the time that `createHash` takes.
  return Bun.SHA256.hash(key, "hex");
}

const MADE_KEY_PREFIX = "sk-my-";
/** How many characters of a made key may be shown again. */
const PREFIX_LENGTH = 10;
/** Made keys within a text, also those that were cut off; not their prefixes. */
export const MADE_KEYS: RegExp = new RegExp(`${MADE_KEY_PREFIX}[\\w-]{12,}`, "g");

/** What a made key may do; what is left out isn't limited. */
export type Grant = Pick<Caller, "name"> & Partial<Caller>;

/** Makes a random key of 192 bits, and stores all of it but itself. Rejects with NameTaken. */
export async function makeKey(
  { name, models = ["*"], expires, limits = {}, budget }: Grant,
  store: Pick<KeySource, "add">,
): Promise<string> {
  const random = Buffer.from(crypto.getRandomValues(new Uint8Array(24))).toString("base64url");
  const key = `${MADE_KEY_PREFIX}${random}`;
  await store.add({ name, hash: hashKey(key), models, expires, limits, budget }, key.slice(0, PREFIX_LENGTH));
  return key;
}
