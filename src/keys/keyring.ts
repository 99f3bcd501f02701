import type { BudgetSettings, LimitSettings } from "../../config/settings.ts";

/** A client's virtual key: what it may do. The key itself is known only by its SHA-256. */
export interface Caller {
  readonly name: string;
  /** Patterns of the model names it may ask for. */
  readonly models: readonly string[];
  /** Milliseconds since 1970; undefined: never. */
  readonly expires: number | undefined;
  /** What a keyring gives has those of `key_defaults` where the key has none of its own. */
  readonly limits: LimitSettings;
  readonly budget: BudgetSettings | undefined;
}

/** A key of gateway.yaml or of the database, with its own limits only. */
export interface StoredKey extends Caller {
  /** SHA-256 of the key, in lower case hex. */
  readonly hash: string;
}

/** Another key has the name that a new one was to have. */
export class NameTaken extends Error {
  constructor(name: string) {
    super(`there is a key "${name}" already; choose another name`);
    this.name = "NameTaken";
  }
}

/** Where keys made at run time are kept. */
export interface KeyStore {
  find(hash: string): StoredKey | undefined;
  list(): readonly ListedKey[];
  /** Throws NameTaken, with nothing changed, if there is one of this name. */
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

/** How long a key of the database is taken for good without asking again: so long a revoked one may live on. */
const GOOD_FOR_MS = 500;
/** Keys in use beyond these are looked up at each request. */
const MAX_REMEMBERED = 4_096;

/** A key of the database, as it was when it was last looked up. */
interface Remembered {
  readonly stored: StoredKey;
  readonly caller: Caller;
  /** Of the keyring's clock. */
  until: number;
}

/** What a keyring is made from. */
export interface KeyringOptions {
  readonly configured: readonly StoredKey[];
  /** Where the other keys are; a change there is seen within half a second. */
  readonly store: Pick<KeyStore, "find">;
  /** Limits of keys that don't set them themselves. */
  readonly defaults: LimitSettings;
  /** Called once for each configured key, with the key, when it is first presented: until then only its hash may be known. */
  readonly firstUse: (key: string) => void;
  /** Milliseconds, of a clock that never goes back; the process's unless given. */
  readonly now?: () => number;
}

/**
 * Finds the caller behind a presented key. Keys are looked up by their hash: the time this takes tells at most how
 * much of a hash is right, and nobody can choose keys by their hashes, so it says nothing about any key.
 * Only good keys are remembered, so that a flood of wrong ones takes no memory and a new one is good at once.
 */
export class Keyring {
  readonly #configured: ReadonlyMap<string, Caller>;
  /** Hashes of configured keys. */
  readonly #unused: Set<string>;
  readonly #remembered = new Map<string, Remembered>();
  readonly #options: KeyringOptions;
  readonly #now: () => number;

  constructor(options: KeyringOptions) {
    const { configured, defaults } = options;
    this.#configured = new Map(configured.map((key) => [key.hash, callerOf(key, defaults)]));
    this.#unused = new Set(this.#configured.keys());
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  /** The same object for the same key, as long as nothing about it changes. */
  find(key: string): Caller | undefined {
    const hash = hashKey(key);
    const configured = this.#configured.get(hash);
    if (!configured) return this.#remember(hash);
    if (this.#unused.delete(hash)) this.#options.firstUse(key);
    return configured;
  }

  #remember(hash: string): Caller | undefined {
    const known = this.#remembered.get(hash);
    const now = this.#now();
    if (known && now < known.until) return known.caller;
    const stored = this.#options.store.find(hash);
    this.#remembered.delete(hash);
    if (!stored) return undefined;
    const same = known && Bun.deepEquals(known.stored, stored);
    const caller = same ? known.caller : callerOf(stored, this.#options.defaults);
    this.#remembered.set(hash, { stored, caller, until: now + GOOD_FOR_MS });
    this.#forgetOldest();
    return caller;
  }

  #forgetOldest(): void {
    if (this.#remembered.size <= MAX_REMEMBERED) return;
    const [oldest] = this.#remembered.keys();
    if (oldest !== undefined) this.#remembered.delete(oldest);
  }
}

/** What a key may do, with the limits of `defaults` where it has none of its own. */
export function callerOf(key: Caller, defaults: LimitSettings): Caller {
  const { name, models, expires, limits, budget } = key;
  return { name, models, expires, limits: { ...defaults, ...limits }, budget };
}

/** The key's SHA-256 in lower case hex. */
export function hashKey(key: string): string {
  // Without an object of its own for each hash: a quarter of the time that `createHash` takes.
  return Bun.SHA256.hash(key, "hex");
}

const MADE_BEGINNING = "sk-my-";
/** How many characters of a made key may be shown again. */
const PREFIX_LENGTH = 10;
/** Made keys within a text, also those that were cut off; not their prefixes. */
export const MADE_KEYS: RegExp = new RegExp(`${MADE_BEGINNING}[\\w-]{12,}`, "g");

/** What a made key may do; what is left out isn't limited. */
export type Grant = Pick<Caller, "name"> & Partial<Caller>;

/** Makes a random key of 192 bits, and stores all of it but itself. Throws NameTaken. */
export function makeKey(
  { name, models = ["*"], expires, limits = {}, budget }: Grant,
  store: KeyStore,
): string {
  const random = Buffer.from(crypto.getRandomValues(new Uint8Array(24))).toString("base64url");
  const key = `${MADE_BEGINNING}${random}`;
  store.add({ name, hash: hashKey(key), models, expires, limits, budget }, key.slice(0, PREFIX_LENGTH));
  return key;
}
