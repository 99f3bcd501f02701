import type { Json } from "../../contract/index.ts";
import { UpstreamError } from "../../contract/index.ts";
import { withDeadline } from "../clock.ts";
import type { CredentialSet, PoolContext } from "./credential-set.ts";
import { isUsable, lifetimeOf, shortId } from "./entry.ts";
import type { Entry, Work } from "./entry.ts";
import { backOff, messageOf, NO_BACKOFF, provesInvalid } from "./health.ts";
import type { Schedule } from "./schedule.ts";

const REFRESH_DEADLINE = 30_000;
const VERIFY_DEADLINE = 10_000;
/** The pause after a storage failure. */
const SAVE_AGAIN = 30_000;
/** How long after its expiry a created credential is retired if it could not be refreshed. */
const GIVE_UP = 24 * 60 * 60_000;

/** Refreshes, verifies and stores credentials in the background. */
export class Refresher<C extends Json> {
  readonly #context: PoolContext<C>;
  readonly #set: CredentialSet<C>;
  readonly #schedule: Schedule<C>;
  /** Outlasts the pool's signal: a rotated token whose answer nobody reads is lost. */
  readonly #cut = new AbortController();

  constructor(context: PoolContext<C>, set: CredentialSet<C>, schedule: Schedule<C>) {
    this.#context = context;
    this.#set = set;
    this.#schedule = schedule;
  }

  /** Begins all work that is due, and retires what has expired and can't be refreshed. */
  beginDue(now: number): void {
    const canRefresh = this.#context.source.refresh !== undefined;
    for (const entry of this.#set.live.values()) {
      if (!canRefresh && now >= entry.expiresAt) this.#set.retire(entry, "it has expired");
      else if (entry.work !== undefined) continue;
      else if (canRefresh && now >= this.#schedule.refreshAt(entry)) this.#refresh(entry);
      else if (entry.saveAt !== undefined && now >= entry.saveAt) this.#save(entry);
    }
    // Suspects are verified at once, long unused credentials only as far as calls wait.
    for (const entry of this.#set.live.values()) {
      if (entry.work !== undefined || !isUsable(entry, now) || this.#set.isTrusted(entry, now)) continue;
      if (entry.trust === "suspect" || this.#schedule.unmetDemand(now) > 0) this.#verify(entry);
    }
  }

  /** Stores what isn't stored yet, before the pool closes. */
  saveAll(): void {
    for (const entry of this.#set.live.values()) if (entry.saveAt !== undefined) this.#save(entry);
  }

  /** Exchanges a credential for a newer one, which is stored before it is used. */
  #refresh(entry: Entry<C>): void {
    this.#begin(entry, "refreshing", async () => {
      try {
        await this.#exchange(entry);
      } catch (error) {
        this.#refreshFailed(entry, error);
      }
    });
  }

  /** Verifies a credential. An error that doesn't prove it invalid lets it pass this time. */
  #verify(entry: Entry<C>): void {
    const { source, settings, signal } = this.#context;
    this.#begin(entry, "verifying", async () => {
      const deadline = { what: "verifying a credential", ms: VERIFY_DEADLINE, clock: settings.clock, signal };
      const verify = async (ending: AbortSignal): Promise<boolean> =>
        (await source.verify?.(entry.credential, ending)) ?? true;
      try {
        if (!(await withDeadline(verify, deadline)))
          throw new UpstreamError("rejected", "the credential is no longer valid");
        entry.verifiedAt = this.#context.now();
        entry.trust = "proven";
      } catch (error) {
        if (provesInvalid(error)) return this.#set.rejected(entry, error);
        if (UpstreamError.is(error) && error.code === "rate-limited")
          return this.#set.rateLimited(entry, error);
        entry.verifiedAt = this.#context.now();
        if (entry.trust === "suspect") entry.trust = "restored";
      }
    });
  }

  /** Stores what is known of a credential. */
  #save(entry: Entry<C>): void {
    this.#begin(entry, "saving", async () => {
      const stored = await this.#store(entry, entry.credential);
      if (stored !== entry.credential) this.#use(entry, stored);
    });
  }

  /** Ends the refreshes that are still running. */
  abort(): void {
    this.#cut.abort(new UpstreamError("timeout", "a refresh was still running when the upstream was closed"));
  }

  #begin(entry: Entry<C>, work: Work, job: () => Promise<void>): void {
    entry.work = work;
    const over = (): void => {
      entry.work = undefined;
      if (entry.health.standing === "dead") this.#set.erase(entry);
    };
    this.#context.run(job().then(over));
  }

  async #exchange(entry: Entry<C>): Promise<void> {
    const { source, settings, store, signal } = this.#context;
    // Another process may have used the refresh token already.
    const other = await store.readIfChanged(entry.id);
    if (other && !Bun.deepEquals(other.credential, entry.credential)) {
      this.#use(entry, other.credential);
    } else {
      signal.throwIfAborted();
      const refresh = async (ending: AbortSignal): Promise<C> =>
        (await source.refresh?.(entry.credential, ending)) ?? entry.credential;
      const next = await withDeadline(refresh, {
        what: "refreshing a credential",
        ms: REFRESH_DEADLINE,
        clock: settings.clock,
        signal: this.#cut.signal,
      });
      this.#set.hideSecrets(next);
      this.#use(entry, await this.#store(entry, next));
    }
    if (entry.expiresAt <= this.#context.now())
      throw new UpstreamError("bad-response", "the refreshed credential is expired: is the clock right?");
    entry.backoff = NO_BACKOFF;
  }

  /** Stores a credential. Resolves to the one to use: it, or what another process stored meanwhile. */
  async #store(entry: Entry<C>, credential: C): Promise<C> {
    entry.saveAt = undefined;
    const record = {
      credential,
      account: entry.account,
      since: credential === entry.credential ? entry.since : this.#context.now(),
      lastUsed: entry.lastUsed,
      coolUntil: entry.health.coolUntil,
    };
    const stored = await this.#context.store.write(entry.id, record, entry.credential);
    if (!stored) entry.saveAt ??= this.#context.now() + SAVE_AGAIN;
    return stored?.credential ?? credential;
  }

  #use(entry: Entry<C>, credential: C): void {
    if (entry.health.standing !== "dead") this.#set.renew(entry, credential);
  }

  #refreshFailed(entry: Entry<C>, error: unknown): void {
    const { host, settings, source, signal } = this.#context;
    const now = this.#context.now();
    if (entry.health.standing === "dead" || error === signal.reason) return;
    const isGivenUp = entry.account === undefined && now > entry.expiresAt + GIVE_UP;
    if ((provesInvalid(error) && !source.retryRejected) || isGivenUp) return this.#set.retire(entry, error);
    const longest = lifetimeOf(entry);
    entry.backoff = backOff(entry.backoff, error, { now, random: settings.random, longest });
    entry.problem = messageOf(error);
    host.log.warn("refreshing a credential failed", {
      credential: shortId(entry.id),
      error: entry.problem,
      failures: entry.backoff.failures,
      wait_ms: Math.round(entry.backoff.until - now),
    });
  }
}
