import type { Host, Json, JsonObject, Logger } from "../../contract/index.ts";
import { withDeadline } from "../clock.ts";
import type { Clock } from "../clock.ts";
import { asObject } from "../json/values.ts";
import { shortId } from "./entry.ts";
import { messageOf } from "./health.ts";
import type { CredentialAccount, CredentialSource } from "./types.ts";

/** The stored record of a credential. Times are milliseconds since 1970. */
export interface StoredCredential<C extends Json> {
  readonly credential: C;
  readonly account: string | undefined;
  readonly since: number;
  readonly lastUsed: number;
  readonly coolUntil: number;
}

/** What a pool starts with. */
export interface Restored<C extends Json> {
  /** The stored credentials that can be used, by id, the most valuable first. */
  readonly credentials: readonly (readonly [id: string, record: StoredCredential<C>])[];
  /** The configured accounts that are neither stored nor retired. */
  readonly unopened: readonly CredentialAccount<C>[];
}

const CREDENTIALS = "credential/";
const ACCOUNTS = "account/";
const DEADLINE = 5000;
const TRIES = 3;

/**
 * A pool's part of `host.storage`: `credential/<id>` holds a credential, `account/<id>` marks a retired account. No
 * method rejects: a storage failure, or one over 5 s, is logged with its consequence.
 */
export class CredentialStore<C extends Json> {
  readonly #storage: Host["storage"];
  readonly #log: Logger;
  readonly #clock: Clock;
  /** The version of each record that this process last read or wrote. */
  readonly #versions = new Map<string, number>();

  constructor({ storage, log }: Pick<Host, "storage" | "log">, clock: Clock) {
    this.#storage = storage;
    this.#log = log;
    this.#clock = clock;
  }

  /** Reads all credentials and retired accounts, and removes what can't be used any more. */
  async restore(source: CredentialSource<C>): Promise<Restored<C>> {
    const credentials: [string, StoredCredential<C>][] = [];
    const opened = new Set<string>();
    await this.#try("no stored credential can be used", async () => {
      for (const account of await this.#names(ACCOUNTS)) opened.add(account);
      for (const id of await this.#names(CREDENTIALS)) {
        const record = await this.#readUsable(id, source);
        if (record) credentials.push([id, record]);
      }
    });
    const { accounts = [] } = source;
    for (const retired of opened) {
      if (accounts.some(({ id }) => id === retired)) continue;
      await this.#try("the mark of an account that is no longer configured remains", () =>
        this.#withTimeout(this.#storage.delete(ACCOUNTS + retired)),
      );
    }
    for (const [, { account }] of credentials) if (account !== undefined) opened.add(account);
    return {
      credentials: credentials.sort(([, one], [, other]) => byValue(one, other)),
      unopened: accounts.filter(({ id }) => !opened.has(id)),
    };
  }

  /** Resolves to the record that another process stored since this one last read or wrote it, if any. */
  async readIfChanged(id: string): Promise<StoredCredential<C> | undefined> {
    const known = this.#versions.get(id);
    const stored = await this.#try("a credential is refreshed without the stored one", () => this.#read(id));
    return this.#versions.get(id) === known ? undefined : stored;
  }

  /**
   * Stores a record over one that held the credential `replaced`. Resolves to the record that is stored then: this one,
   * or that of another process with a newer credential. Resolves to undefined if storing failed.
   */
  write(id: string, record: StoredCredential<C>, replaced: C): Promise<StoredCredential<C> | undefined> {
    return this.#try("a restart may lose a credential", async () => {
      for (let attempt = 0; attempt < TRIES; attempt++) {
        const ifVersion = this.#versions.get(id) ?? 0;
        const value: JsonObject = { ...record };
        const version = await this.#withTimeout(this.#storage.set(CREDENTIALS + id, value, { ifVersion }));
        if (version !== undefined) {
          this.#versions.set(id, version);
          return record;
        }
        const other = await this.#read(id);
        if (other && !Bun.deepEquals(other.credential, replaced)) return other;
      }
      throw new Error("another process keeps writing the same credential");
    });
  }

  async remove(id: string): Promise<void> {
    await this.#try("a retired credential remains", () => this.#remove(id));
  }

  /** Marks a configured account as retired, so that no restart opens it again. */
  async retireAccount(account: string): Promise<void> {
    await this.#try("a retired account is opened again after a restart", () =>
      this.#withTimeout(this.#storage.set(ACCOUNTS + account, { usedUp: true })),
    );
  }

  /** Resolves to a stored record, or removes it if it can't be used. */
  #readUsable(id: string, source: CredentialSource<C>): Promise<StoredCredential<C> | undefined> {
    return this.#try(`the credential ${shortId(id)} can't be read`, async () => {
      const record = await this.#read(id);
      const reason = whyUnusable(source, record);
      if (reason === undefined) return record;
      this.#log.info("stored credential discarded", { credential: shortId(id), reason });
      await this.#remove(id);
      return undefined;
    });
  }

  async #read(id: string): Promise<StoredCredential<C> | undefined> {
    const found = await this.#withTimeout(this.#storage.get(CREDENTIALS + id));
    if (!found) {
      this.#versions.delete(id);
      return undefined;
    }
    this.#versions.set(id, found.version);
    return parseRecord<C>(found.value);
  }

  async #remove(id: string): Promise<void> {
    this.#versions.delete(id);
    await this.#withTimeout(this.#storage.delete(CREDENTIALS + id));
  }

  async #names(prefix: string): Promise<readonly string[]> {
    const keys = await this.#withTimeout(this.#storage.keys(prefix));
    return keys.map((key) => key.slice(prefix.length));
  }

  /** Bounds an operation in time. The host's signal doesn't end it, so that a closing pool can store what it knows. */
  #withTimeout<T>(operation: Promise<T>): Promise<T> {
    return withDeadline(() => operation, { what: "the storage", ms: DEADLINE, clock: this.#clock });
  }

  async #try<T>(consequence: string, operation: () => Promise<T>): Promise<T | undefined> {
    try {
      return await operation();
    } catch (error) {
      this.#log.error(`storage failed: ${consequence}`, { error: messageOf(error) });
      return undefined;
    }
  }
}

/** Returns why a stored record can't be used; undefined if it can. */
function whyUnusable<C extends Json>(
  source: CredentialSource<C>,
  record: StoredCredential<C> | undefined,
): string | undefined {
  if (!record) return "it is not a credential";
  const { account, credential } = record;
  if (account !== undefined && !source.accounts?.some(({ id }) => id === account)) {
    return "its account is no longer configured";
  }
  try {
    // Another version of the plugin may have stored it.
    source.identify(credential);
    source.secrets(credential);
    source.expiresAt?.(credential);
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

/** Orders accounts first, because nothing replaces them, then the most recently used. */
function byValue(one: StoredCredential<Json>, other: StoredCredential<Json>): number {
  const accounts = Number(other.account !== undefined) - Number(one.account !== undefined);
  return accounts !== 0 ? accounts : other.lastUsed - one.lastUsed;
}

function parseRecord<C extends Json>(value: Json): StoredCredential<C> | undefined {
  const { credential, account, since, lastUsed, coolUntil } = asObject(value) ?? {};
  if (credential === undefined) return undefined;
  return {
    // Only this pool writes here, and the source checks it before it is used.
    credential: credential as C,
    account: typeof account === "string" ? account : undefined,
    since: timeOf(since),
    lastUsed: timeOf(lastUsed),
    coolUntil: timeOf(coolUntil),
  };
}

function timeOf(value: Json | undefined): number {
  return typeof value === "number" ? value : 0;
}
