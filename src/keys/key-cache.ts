import type { LimitSettings } from "../../config/settings.ts";
import type { GatewayLogger } from "../log.ts";
import { messageOf } from "../log.ts";
import type { Caller, KeySnapshot, KeySource, StoredKey } from "./keyring.ts";
import { callerOf } from "./keyring.ts";

/** How often the store's version is compared, in ms: a revoked key is accepted for this long at most. */
const CHECK_MS = 500;
/** How long a failed store isn't read again, in ms: each read may block the process. */
const FAILURE_PAUSE_MS = 1_000;
/** Interval of log lines while reading fails, in ms. */
const LOG_INTERVAL_MS = 10_000;

/** Thrown for a key that isn't in memory while the store can't be read. */
export class KeysUnreadableError extends Error {
  /** When to retry, in ms. */
  readonly retryAfterMs: number = FAILURE_PAUSE_MS;

  constructor(cause: unknown) {
    super("the keys made at run time can't be read", { cause });
    this.name = "KeysUnreadableError";
  }
}

/** Options of a `KeyCache`. */
export interface KeyCacheOptions {
  readonly source: Pick<KeySource, "version" | "snapshot">;
  /** Limits of keys without their own. */
  readonly defaults: LimitSettings;
  readonly log: Pick<GatewayLogger, "error">;
  /** Milliseconds of a monotonic clock. */
  readonly now?: () => number;
}

interface CachedKey {
  readonly stored: StoredKey;
  readonly caller: Caller;
}

/**
 * Caches all keys made at run time, with their version in the store. While the store can't be read, cached keys stay valid
 * and unknown keys are neither accepted nor rejected.
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

  /** Returns the cached key of a hash: the same object until the key changes. */
  find(hash: string): Caller | undefined {
    return this.#keys.get(hash)?.caller;
  }

  /** Resolves with the stored key of a hash. Rejects with KeysUnreadableError if the store can't be read. */
  async lookUp(hash: string): Promise<Caller | undefined> {
    // A running refresh may have started before the key was made.
    if (this.#refreshing) await this.#refreshing;
    if (!this.#keys.has(hash)) await this.refresh();
    return this.find(hash);
  }

  /** Loads changes of the store, single-flight. Rejects with KeysUnreadableError. */
  refresh(): Promise<void> {
    if (this.#failed && this.#now() < this.#failed.until) return Promise.reject(this.#failed.error);
    this.#refreshing ??= this.#read().finally(() => (this.#refreshing = undefined));
    return this.#refreshing;
  }

  /** Starts refreshing every half a second until `close`. */
  watch(): void {
    if (this.#isClosed) return;
    const again = () => this.watch();
    // #read has logged the failure.
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
