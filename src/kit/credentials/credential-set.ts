import type { Host, Json } from "../../contract/index.ts";
import { isUsable, lifetimeOf, shortId } from "./entry.ts";
import type { Entry, Loan, Trust } from "./entry.ts";
import {
  afterRateLimit,
  afterRefresh,
  afterRejection,
  afterSuccess,
  backOff,
  FRESH,
  messageOf,
  NO_BACKOFF,
  retryAfter,
} from "./health.ts";
import type { CredentialStore, StoredCredential } from "./store.ts";
import type { CredentialSource, PoolOptions } from "./types.ts";

/** What the parts of a pool share. */
export interface PoolContext<C extends Json> {
  readonly source: CredentialSource<C>;
  readonly settings: Required<PoolOptions>;
  readonly host: Host;
  readonly store: CredentialStore<C>;
  /** Aborted when the pool closes. */
  readonly signal: AbortSignal;
  /** Returns the time in milliseconds since 1970. */
  readonly now: () => number;
  /** The calls that wait for a lease. */
  readonly waiters: { readonly size: number };
  /** Runs background work that never rejects; closing the pool waits for it. */
  readonly run: (job: Promise<void>) => void;
  /** Makes the pool look again at which calls it can serve and what is due. */
  readonly onChange: () => void;
}

/** Resolution of the stored time of last use. */
const LAST_USED_RESOLUTION = 10 * 60_000;
/** The longest first cooling after a rejection where the source has `retryRejected`. */
const REJECTED_COOLING = 60_000;

/** The credentials of a pool, and how leases and reports change them. */
export class CredentialSet<C extends Json> {
  readonly #context: PoolContext<C>;
  readonly #live = new Map<string, Entry<C>>();
  /** The credentials that are not retired, by id. Their number counts against `max`. */
  readonly live: ReadonlyMap<string, Entry<C>> = this.#live;
  /** Retired, but still leased. */
  readonly #retiring = new Set<Entry<C>>();
  /** How many were retired since the pool was built. */
  readonly retired = { configured: 0, made: 0 };
  /** Why the last new credential could not be created, or was rejected before its first success. */
  problem: unknown;
  /** Failures of new credentials that were rejected before their first success. */
  wasted = NO_BACKOFF;
  /** The turn of the last lease: a credential that rests saves up no turns. */
  #turn = 0;

  constructor(context: PoolContext<C>) {
    this.#context = context;
  }

  /** Returns all credentials, including those that are retired but still leased. */
  all(): readonly Entry<C>[] {
    return [...this.#live.values(), ...this.#retiring];
  }

  /** Returns the credentials that may be lent. */
  lendable(now: number): readonly Entry<C>[] {
    return [...this.#live.values()].filter((entry) => isUsable(entry, now) && this.isTrusted(entry, now));
  }

  /** Returns whether a credential may be lent without verifying it first. */
  isTrusted({ trust, lastUsed, since, verifiedAt }: Entry<C>, now: number): boolean {
    const { source, settings } = this.#context;
    if (!source.verify) return true;
    return trust !== "suspect" && now - Math.max(lastUsed, since, verifiedAt) <= settings.verifyAfter;
  }

  /** Adds a credential from the storage, or a new one. */
  add(id: string, record: StoredCredential<C>, trust: Trust): Entry<C> {
    const { credential, coolUntil, ...times } = record;
    this.hideSecrets(credential);
    const entry: Entry<C> = {
      ...times,
      id,
      credential,
      expiresAt: this.#expiryOf(credential),
      weight: this.#context.source.weight?.(credential),
      turn: 0,
      renewals: 0,
      verifiedAt: 0,
      trust,
      untried: trust === "proven" && record.account === undefined,
      health: coolUntil > this.#context.now() ? { ...FRESH, standing: "probing", coolUntil } : FRESH,
      loans: new Set(),
      work: undefined,
      backoff: NO_BACKOFF,
      saveAt: undefined,
      problem: undefined,
    };
    this.#live.set(id, entry);
    return entry;
  }

  /** Replaces an entry's credential by a newer one. */
  renew(entry: Entry<C>, credential: C): void {
    this.hideSecrets(credential);
    entry.credential = credential;
    entry.expiresAt = this.#expiryOf(credential);
    entry.since = this.#context.now();
    entry.renewals++;
    entry.trust = "proven";
    entry.health = afterRefresh(entry.health);
    entry.problem = undefined;
  }

  /** Keeps a credential's secrets out of logs, errors and status. */
  hideSecrets(credential: C): void {
    for (const secret of this.#context.source.secrets(credential)) this.#context.host.secret(secret);
  }

  lend(entry: Entry<C>, exclusive: boolean): Loan<C> {
    const loan = { entry, exclusive, epoch: entry.health.epoch };
    const now = this.#context.now();
    entry.loans.add(loan);
    this.#turn = Math.max(this.#turn, entry.turn);
    if (entry.weight !== undefined) entry.turn = this.#turn + 1 / entry.weight;
    if (now - entry.lastUsed > LAST_USED_RESOLUTION) entry.saveAt ??= now;
    entry.lastUsed = now;
    return loan;
  }

  giveBack(loan: Loan<C>): void {
    loan.entry.loans.delete(loan);
    if (loan.entry.health.standing === "dead") this.#forget(loan.entry);
  }

  /** Records that the upstream accepted a leased credential. */
  succeeded({ entry, epoch }: Loan<C>): void {
    const before = entry.health;
    if (entry.untried) this.wasted = NO_BACKOFF;
    entry.untried = false;
    entry.trust = "proven";
    entry.health = afterSuccess(before, epoch);
    if (entry.health === before) return;
    entry.problem = undefined;
    entry.saveAt = this.#context.now();
  }

  rateLimited(entry: Entry<C>, error: unknown): void {
    this.#cool(entry, error, retryAfter(error));
  }

  rejected(entry: Entry<C>, error: unknown): void {
    const { source, settings } = this.#context;
    const now = this.#context.now();
    if (entry.trust !== "proven") {
      // The service may have forgotten all restored credentials: none is lent before it is verified.
      for (const other of this.#live.values()) if (other.trust === "restored") other.trust = "suspect";
    }
    const life = lifetimeOf(entry);
    const canRefresh = source.refresh !== undefined;
    const health = afterRejection(entry.health, { canRefresh, age: now - entry.since, life });
    if (health === entry.health) return;
    if (health.standing !== "dead") {
      entry.problem = messageOf(error);
      entry.health = health;
    } else if (source.retryRejected) {
      this.#cool(entry, error, Math.min(REJECTED_COOLING, life));
    } else {
      if (entry.untried) {
        this.wasted = backOff(this.wasted, error, { now, random: settings.random });
        this.problem = error;
      }
      this.retire(entry, error);
    }
  }

  /** Retires a credential for good and removes it from the storage; its leases go on. */
  retire(entry: Entry<C>, reason: unknown): void {
    entry.health = { ...entry.health, standing: "dead" };
    entry.problem = messageOf(reason);
    this.#live.delete(entry.id);
    this.#retiring.add(entry);
    this.#logRetired(entry);
    // Work that goes on may still write to the storage: the entry is erased after it.
    if (entry.work === undefined) this.erase(entry);
    this.#forget(entry);
  }

  /** Removes a retired credential from the storage, and marks its account there as retired. */
  erase({ id, account }: Entry<C>): void {
    const { store, run } = this.#context;
    run(store.remove(id));
    if (account !== undefined) run(store.retireAccount(account));
  }

  #cool(entry: Entry<C>, error: unknown, ms: number | undefined): void {
    const now = this.#context.now();
    const before = entry.health.coolUntil;
    entry.health = afterRateLimit(entry.health, now, ms);
    if (entry.health.coolUntil === before) return;
    entry.problem = messageOf(error);
    entry.saveAt = now;
    this.#context.host.log.info("credential cooling", {
      credential: shortId(entry.id),
      wait_ms: Math.round(entry.health.coolUntil - now),
    });
  }

  #logRetired({ id, account, problem }: Entry<C>): void {
    const { log } = this.#context.host;
    const fields = { credential: shortId(id), error: problem };
    if (account === undefined) {
      this.retired.made++;
      log.info("credential retired", fields);
    } else {
      this.retired.configured++;
      log.warn("account retired; change its credential in the configuration", { account, ...fields });
    }
  }

  /** Drops a retired credential once it has no lease, and tells the source. */
  #forget(entry: Entry<C>): void {
    if (entry.loans.size > 0) return;
    this.#retiring.delete(entry);
    if (this.#live.has(entry.id)) return;
    const { source, host } = this.#context;
    try {
      source.onRetired?.(entry.id);
    } catch (error) {
      host.log.error("the plugin's onRetired failed", { error: messageOf(error) });
    }
  }

  #expiryOf(credential: C): number {
    return this.#context.source.expiresAt?.(credential) ?? Infinity;
  }
}
