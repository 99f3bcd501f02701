import type { Host, Json, JsonObject } from "../../contract/index.ts";
import type { Clock } from "../clock.ts";
import { messageOf } from "./backoff.ts";
import { withDeadline } from "./deadline.ts";

/** What is stored of a credential. Times are milliseconds since 1970. */
export interface StoredCredential<C extends Json> {
  readonly credential: C;
  readonly account: string | undefined;
  readonly since: number;
  readonly lastUsed: number;
  readonly coolUntil: number;
}

const CREDENTIALS = "credential/";
const ACCOUNTS = "account/";
const DEADLINE = 5000;
const TRIES = 3;

/**
 * The pool's shelf in `host.storage`: `credential/<id>` holds a credential, `account/<id>` the mark of a
 * configured account that is used up. Everything here rejects when the storage fails, or takes over 5 s.
 */
export class CredentialStore<C extends Json> {
  readonly #host: Host;
  readonly #clock: Clock;
  /** The version of each credential that this process has last read or written. */
  readonly #versions = new Map<string, number>();

  constructor(host: Host, clock: Clock) {
    this.#host = host;
    this.#clock = clock;
  }

  /** The ids of the stored credentials. */
  credentials(): Promise<readonly string[]> {
    return this.#names(CREDENTIALS);
  }

  /** The ids of the accounts that are marked as used up. */
  usedUp(): Promise<readonly string[]> {
    return this.#names(ACCOUNTS);
  }

  /** The stored credential; undefined if there is none, or nothing that can be read as one. */
  async read(id: string): Promise<StoredCredential<C> | undefined> {
    const found = await this.#within(this.#host.storage.get(CREDENTIALS + id));
    if (!found) {
      this.#versions.delete(id);
      return undefined;
    }
    this.#versions.set(id, found.version);
    return parse<C>(found.value);
  }

  /** What somebody else has stored since this process last read or wrote it. */
  async readIfChanged(id: string): Promise<StoredCredential<C> | undefined> {
    const known = this.#versions.get(id);
    const stored = await this.read(id);
    return this.#versions.get(id) === known ? undefined : stored;
  }

  /**
   * Stores a record in place of one that had the credential `replaced`, and gives the record that now stands
   * there: this one, or another's if somebody else has put a newer credential there meanwhile.
   */
  async write(id: string, record: StoredCredential<C>, replaced: C): Promise<StoredCredential<C>> {
    for (let attempt = 0; attempt < TRIES; attempt++) {
      const ifVersion = this.#versions.get(id) ?? 0;
      const version = await this.#within(
        this.#host.storage.set(CREDENTIALS + id, toJson(record), { ifVersion }),
      );
      if (version !== undefined) {
        this.#versions.set(id, version);
        return record;
      }
      const other = await this.read(id);
      if (other && !Bun.deepEquals(other.credential, replaced)) return other;
    }
    throw new Error("somebody else keeps writing to this upstream's storage");
  }

  async remove(id: string): Promise<void> {
    this.#versions.delete(id);
    await this.#within(this.#host.storage.delete(CREDENTIALS + id));
  }

  /** Marks a configured account as used up, so that no restart tries it again. */
  async markUsedUp(account: string): Promise<void> {
    await this.#within(this.#host.storage.set(ACCOUNTS + account, { usedUp: true }));
  }

  /** Forgets the mark of an account that is no longer configured. */
  async unmark(account: string): Promise<void> {
    await this.#within(this.#host.storage.delete(ACCOUNTS + account));
  }

  async #names(prefix: string): Promise<readonly string[]> {
    const keys = await this.#within(this.#host.storage.keys(prefix));
    return keys.map((key) => key.slice(prefix.length));
  }

  #within<T>(operation: Promise<T>): Promise<T> {
    // Not tied to the host's signal: what is known at closing time is to be kept.
    const signal = new AbortController().signal;
    return withDeadline(() => operation, { what: "the storage", ms: DEADLINE, clock: this.#clock, signal });
  }
}

/** Lets a storage operation fail without harm, but not without a word. True if it succeeded. */
export async function tryStorage(
  host: Host,
  consequence: string,
  operation: () => Promise<unknown>,
): Promise<boolean> {
  try {
    await operation();
    return true;
  } catch (error) {
    host.log.error(`the storage failed: ${consequence}`, { error: messageOf(error) });
    return false;
  }
}

function toJson<C extends Json>(record: StoredCredential<C>): JsonObject {
  return { ...record };
}

function parse<C extends Json>(value: Json): StoredCredential<C> | undefined {
  if (!isObject(value)) return undefined;
  const { credential, account, since, lastUsed, coolUntil } = value;
  if (credential === undefined) return undefined;
  return {
    // Only this pool writes here, and the source looks at it before it is used.
    credential: credential as C,
    account: typeof account === "string" ? account : undefined,
    since: time(since),
    lastUsed: time(lastUsed),
    coolUntil: time(coolUntil),
  };
}

function isObject(value: Json): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function time(value: Json | undefined): number {
  return typeof value === "number" ? value : 0;
}
