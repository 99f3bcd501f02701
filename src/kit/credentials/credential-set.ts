import type { Json } from "../../contract/index.ts";
import { messageOf, NO_BACKOFF, retryAfter } from "./backoff.ts";
import { lifetimeOf, shortId } from "./entry.ts";
import type { Entry, Loan, Trust } from "./entry.ts";
import type { PoolContext } from "./context.ts";
import {
  afterRateLimit,
  afterRefresh,
  afterRejection,
  afterRetirement,
  afterSuccess,
  FORGIVEN_REST,
  FRESH,
} from "./health.ts";
import { tryStorage } from "./store.ts";
import type { StoredCredential } from "./store.ts";

/** How coarsely the time of last use is stored. */
const COARSE_USE = 10 * 60_000;

/** Who makes new credentials, and is to know what they are good for. */
export interface Maker {
  /** One that was just made has been of use. */
  proved(): void;
  /** One that was just made was refused for good before it was of any use. */
  wasted(error: unknown): void;
}

/** The credentials of a pool, and what the reports of those who use them do to them. */
export class CredentialSet<C extends Json> {
  readonly #environment: PoolContext<C>;
  readonly #maker: Maker;
  readonly #live = new Map<string, Entry<C>>();
  /** Retired, but still lent to somebody. */
  readonly #departing = new Set<Entry<C>>();
  /** How many were retired since the pool was built. */
  readonly retired = { configured: 0, made: 0 };
  /** The turn of the one that was lent last: nobody can save up turns while they rest. */
  #turn = 0;

  constructor(environment: PoolContext<C>, maker: Maker) {
    this.#environment = environment;
    this.#maker = maker;
  }

  /** How many count against `max`. */
  get size(): number {
    return this.#live.size;
  }

  /** All that are not retired. */
  live(): IterableIterator<Entry<C>> {
    return this.#live.values();
  }

  /** All that anybody has to do with, those included that are retired but still lent. */
  everyone(): readonly Entry<C>[] {
    return [...this.#live.values(), ...this.#departing];
  }

  find(id: string): Entry<C> | undefined {
    return this.#live.get(id);
  }

  /** Takes in a credential from the storage, or a new one in the form of a record. */
  add(id: string, record: StoredCredential<C>, trust: Trust): Entry<C> {
    const resting = record.coolUntil > this.#now();
    const entry: Entry<C> = {
      id,
      account: record.account,
      credential: record.credential,
      since: record.since,
      lastUsed: record.lastUsed,
      weight: this.#environment.source.weight?.(record.credential),
      turn: 0,
      expiresAt: this.#expiry(record.credential),
      renewals: 0,
      verifiedAt: 0,
      trust,
      untried: trust === "proven" && record.account === undefined,
      health: resting ? { ...FRESH, standing: "probing", coolUntil: record.coolUntil } : FRESH,
      loans: new Set(),
      work: undefined,
      backoff: NO_BACKOFF,
      saveAt: undefined,
      problem: undefined,
    };
    this.#live.set(id, entry);
    return entry;
  }

  /** Puts a newer credential in place of an entry's. */
  renew(entry: Entry<C>, credential: C): void {
    entry.credential = credential;
    entry.expiresAt = this.#expiry(credential);
    entry.since = this.#now();
    entry.renewals++;
    entry.trust = "proven";
    entry.health = afterRefresh(entry.health);
    entry.problem = undefined;
  }

  lend(entry: Entry<C>, exclusive: boolean): Loan {
    const loan = { exclusive, epoch: entry.health.epoch };
    const now = this.#now();
    entry.loans.add(loan);
    this.#turn = Math.max(this.#turn, entry.turn);
    if (entry.weight !== undefined) entry.turn = this.#turn + 1 / entry.weight;
    if (now - entry.lastUsed > COARSE_USE) entry.saveAt ??= now;
    entry.lastUsed = now;
    return loan;
  }

  giveBack(entry: Entry<C>, loan: Loan): void {
    entry.loans.delete(loan);
    if (entry.health.standing === "dead") this.#bury(entry);
  }

  succeeded(entry: Entry<C>, loan: Loan): void {
    const before = entry.health;
    if (entry.untried) this.#maker.proved();
    entry.untried = false;
    entry.trust = "proven";
    entry.health = afterSuccess(before, loan.epoch);
    if (entry.health === before) return;
    entry.problem = undefined;
    entry.saveAt = this.#now();
  }

  rateLimited(entry: Entry<C>, error: unknown): void {
    this.#rest(entry, error, retryAfter(error));
  }

  #rest(entry: Entry<C>, error: unknown, ms: number | undefined): void {
    const now = this.#now();
    const before = entry.health.coolUntil;
    entry.health = afterRateLimit(entry.health, now, ms);
    if (entry.health.coolUntil === before) return;
    entry.problem = messageOf(error);
    entry.saveAt = now;
    this.#environment.host.log.info("a credential cools", {
      credential: shortId(entry.id),
      wait_ms: Math.round(entry.health.coolUntil - now),
    });
  }

  rejected(entry: Entry<C>, error: unknown): void {
    const { source } = this.#environment;
    if (entry.trust !== "proven") this.#suspectOthers();
    const health = afterRejection(entry.health, {
      canRefresh: source.refresh !== undefined,
      age: this.#now() - entry.since,
      life: lifetimeOf(entry),
    });
    if (health === entry.health) return;
    if (health.standing === "dead" && source.retryRejected)
      return this.#rest(entry, error, Math.min(FORGIVEN_REST, lifetimeOf(entry)));
    entry.problem = messageOf(error);
    if (health.standing !== "dead") {
      entry.health = health;
      return;
    }
    if (entry.untried) this.#maker.wasted(error);
    this.retire(entry, error);
  }

  /** All that only the storage vouches for are to be verified before they are lent. */
  #suspectOthers(): void {
    for (const entry of this.#live.values()) if (entry.trust === "kept") entry.trust = "suspect";
  }

  /** Takes a credential out of use for good, out of the storage too; leases that run on it go on. */
  retire(entry: Entry<C>, why: unknown): void {
    entry.health = afterRetirement(entry.health);
    entry.problem = messageOf(why);
    this.#live.delete(entry.id);
    this.#departing.add(entry);
    this.#tellRetired(entry);
    // What is at work may still write to the storage: then it is erased when that is done.
    if (entry.work === undefined) this.erase(entry);
    this.#bury(entry);
  }

  /** What the configuration gives is missed by somebody who can do something about it. */
  #tellRetired({ id, account, problem }: Entry<C>): void {
    const { log } = this.#environment.host;
    const fields = { credential: shortId(id), error: problem };
    if (account === undefined) {
      this.retired.made++;
      log.info("a credential is retired", fields);
    } else {
      this.retired.configured++;
      log.warn("an account is used up; it is tried again when it is configured anew", { account, ...fields });
    }
  }

  /** Takes a retired credential out of the storage, and marks its account. */
  erase(entry: Entry<C>): void {
    const { host, store, jobs } = this.#environment;
    jobs.run(tryStorage(host, "a retired credential could not be deleted", () => store.remove(entry.id)));
    if (entry.account === undefined) return;
    const { account } = entry;
    jobs.run(tryStorage(host, "a used-up account could not be marked", () => store.markUsedUp(account)));
  }

  /** Forgets a retired one when nobody has it any more. */
  #bury(entry: Entry<C>): void {
    if (entry.loans.size > 0) return;
    this.#departing.delete(entry);
    if (this.#live.has(entry.id)) return;
    try {
      this.#environment.source.onRetired?.(entry.id);
    } catch (error) {
      this.#environment.host.log.error("closing what hung on a credential failed", {
        error: messageOf(error),
      });
    }
  }

  #expiry(credential: C): number {
    return this.#environment.source.expiresAt?.(credential) ?? Infinity;
  }

  #now(): number {
    return this.#environment.settings.clock.now();
  }
}
