import type { LimitSettings } from "../../config/settings.ts";
import type { GatewayLogger } from "../log.ts";
import { messageOf } from "../log.ts";
import type { Caller, KeySnapshot, KeySource, StoredKey } from "./keyring.ts";
import { callerOf } from "./keyring.ts";

/** How often the store's version is compared, in ms: a revoked key is accepted for this long at most. */
const CHECK_MS = 500;
/** How long a store that failed isn't asked again, in ms: each time it may hold up the whole process. */
const FAILURE_PAUSE_MS = 1_000;
/** How often a failure that lasts is logged, in ms. */
const LOG_INTERVAL_MS = 10_000;

/** Thrown for a key that isn't in memory while the store can't be read. */
export class KeysUnreadableError extends Error {
  /** When it is worth trying again, in ms. */
  readonly retryAfterMs: number = FAILURE_PAUSE_MS;

  constructor(cause: unknown) {
    super("the keys made at run time can't be read", { cause });
    this.name = "KeysUnreadable";
  }
}

/** What a cache of keys is made with. */
export interface KeyCacheOptions {
  readonly source: Pick<KeySource, "version" | "snapshot">;
  /** Limits of keys that don't set them themselves. */
  readonly defaults: LimitSettings;
  readonly log: Pick<GatewayLogger, "error">;
  /** Milliseconds, of a clock that never goes back; the process's unless given. */
  readonly now?: () => number;
}

interface CachedKey {
  readonly stored: StoredKey;
  readonly caller: Caller;
}

/**
 * Keeps the keys made at run time in memory, all of them, under the version that they had in the store. While the store
 * can't be read the keys that are known stay good, and nobody is told that another key is wrong.
 */
export class KeyCache {
  readonly #options: KeyCacheOptions;
  readonly #now: () => number;
  #keys: ReadonlyMap<string, CachedKey> = new Map();
  #version: number;
  #refreshing: Promise<void> | undefined;
  #failed: { readonly error: KeysUnreadableError; readonly until: number } | undefined;
  #loggedAt = -Infinity;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isClosed = false;

  constructor({ version, keys }: KeySnapshot, options: KeyCacheOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#version = version;
    this.#keys = this.#cached(keys);
  }

  /** Returns the key of this hash as it is in memory: the same object as long as nothing about the key changes. */
  find(hash: string): Caller | undefined {
    return this.#keys.get(hash)?.caller;
  }

  /** Returns the key of this hash as it is in the store. Rejects with KeysUnreadable where that can't be known. */
  async lookUp(hash: string): Promise<Caller | undefined> {
    // A refresh that is under way may have begun before the key was made.
    if (this.#refreshing) await this.#refreshing;
    if (!this.#keys.has(hash)) await this.refresh();
    return this.find(hash);
  }

  /** Takes over what has changed in the store; one call at a time. Rejects with KeysUnreadable. */
  refresh(): Promise<void> {
    if (this.#failed && this.#now() < this.#failed.until) return Promise.reject(this.#failed.error);
    this.#refreshing ??= this.#read().finally(() => (this.#refreshing = undefined));
    return this.#refreshing;
  }

  /** Begins to refresh by itself, every half a second, until `close`. */
  watch(): void {
    if (this.#isClosed) return;
    const again = () => this.watch();
    // What failed is in the log.
    this.#timer = setTimeout(() => void this.refresh().then(again, again), CHECK_MS);
    this.#timer.unref();
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  async #read(): Promise<void> {
    const { source } = this.#options;
    try {
      if ((await source.version()) !== this.#version) {
        const { version, keys } = await source.snapshot();
        this.#keys = this.#cached(keys);
        this.#version = version;
      }
      this.#failed = undefined;
    } catch (cause) {
      const error = new KeysUnreadableError(cause);
      this.#failed = { error, until: this.#now() + FAILURE_PAUSE_MS };
      this.#logFailure(cause);
      throw error;
    }
  }

  #cached(keys: readonly StoredKey[]): ReadonlyMap<string, CachedKey> {
    return new Map(
      keys.map((stored) => {
        const known = this.#keys.get(stored.hash);
        const isSame = known && Bun.deepEquals(known.stored, stored);
        return [stored.hash, isSame ? known : { stored, caller: callerOf(stored, this.#options.defaults) }];
      }),
    );
  }

  #logFailure(cause: unknown): void {
    const now = this.#now();
    if (now - this.#loggedAt < LOG_INTERVAL_MS) return;
    this.#loggedAt = now;
    this.#options.log.error("reading keys made at run time failed; those in memory stay valid", {
      error: messageOf(cause),
    });
  }
}
