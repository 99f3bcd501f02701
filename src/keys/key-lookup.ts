import type { GatewayLogger } from "../log.ts";
import { messageOf } from "../log.ts";
import type { KeyStore, StoredKey } from "./keyring.ts";

/** How long a database that failed isn't asked again, in ms: each time it may hold up the whole process. */
const PAUSE_MS = 1_000;
/** How often a trouble that lasts is told. */
const AGAIN_MS = 10_000;

/** Nobody can say at the moment whether a key is good. */
export class KeysUnreadable extends Error {
  /** When it is worth trying again, in ms. */
  readonly retryAfterMs: number = PAUSE_MS;

  constructor(cause: unknown) {
    super("the keys made at run time can't be read", { cause });
    this.name = "KeysUnreadable";
  }
}

/** What a look-up is made with. */
export interface KeyLookupOptions {
  readonly store: Pick<KeyStore, "find">;
  readonly log: Pick<GatewayLogger, "error">;
  /** Milliseconds, of a clock that never goes back; the process's unless given. */
  readonly now?: () => number;
}

/** Looks keys up in a database that may be locked or broken. */
export class KeyLookup {
  readonly #options: KeyLookupOptions;
  readonly #now: () => number;
  #failed: { readonly error: KeysUnreadable; readonly until: number } | undefined;
  #toldAt = -Infinity;

  constructor(options: KeyLookupOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  /** The key of this hash, if there is one. Throws KeysUnreadable where that can't be known. */
  find(hash: string): StoredKey | undefined {
    if (this.#failed && this.#now() < this.#failed.until) throw this.#failed.error;
    try {
      const stored = this.#options.store.find(hash);
      this.#failed = undefined;
      return stored;
    } catch (cause) {
      const error = new KeysUnreadable(cause);
      this.#failed = { error, until: this.#now() + PAUSE_MS };
      this.#tell(cause);
      throw error;
    }
  }

  #tell(cause: unknown): void {
    const now = this.#now();
    if (now - this.#toldAt < AGAIN_MS) return;
    this.#toldAt = now;
    this.#options.log.error(
      "keys made at run time can't be looked up; those of gateway.yaml are still good",
      {
        error: messageOf(cause),
      },
    );
  }
}
