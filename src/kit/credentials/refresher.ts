import type { Json } from "../../contract/index.ts";
import { UpstreamError } from "../../contract/index.ts";
import { backOff, provesInvalid, messageOf, NO_BACKOFF } from "./backoff.ts";
import { withDeadline } from "./deadline.ts";
import { lifetimeOf, shortId } from "./entry.ts";
import type { Entry, Work } from "./entry.ts";
import { hide } from "./context.ts";
import type { PoolContext } from "./context.ts";
import type { CredentialSet } from "./credential-set.ts";
import { tryStorage } from "./store.ts";
import type { StoredCredential } from "./store.ts";

const REFRESH_DEADLINE = 30_000;
const VERIFY_DEADLINE = 10_000;
/** After a storage failure. */
const SAVE_AGAIN = 30_000;
/** How long a refresh may go on after the upstream was closed: a rotated token that nobody reads is lost. */
const CLOSING_GRACE = 5000;
/** A credential that signing up replaces is given up when it couldn't be refreshed for so long. */
const GIVE_UP = 24 * 60 * 60_000;

/** What is done in the background to keep credentials good. */
export class Refresher<C extends Json> {
  readonly #environment: PoolContext<C>;
  readonly #roster: CredentialSet<C>;
  readonly #done: () => void;
  /** Aborted only some time after the host's signal. */
  readonly #late = new AbortController();

  /** `done` is called whenever a piece of work is done. */
  constructor(environment: PoolContext<C>, roster: CredentialSet<C>, done: () => void) {
    this.#environment = environment;
    this.#roster = roster;
    this.#done = done;
  }

  /** Exchanges a credential for a newer one, which is stored before it is used. */
  refresh(entry: Entry<C>): void {
    this.#begin(entry, "refreshing", async () => {
      try {
        await this.#exchange(entry);
      } catch (error) {
        this.#refreshFailed(entry, error);
      }
    });
  }

  /** Asks whether a long unused credential is still good; if nobody can tell it is trusted this time. */
  verify(entry: Entry<C>): void {
    const { source, settings, signal: closing } = this.#environment;
    this.#begin(entry, "verifying", async () => {
      try {
        const limits = { what: "verifying a credential", ms: VERIFY_DEADLINE, clock: settings.clock };
        const ask = async (signal: AbortSignal): Promise<boolean> =>
          (await source.verify?.(entry.credential, signal)) ?? true;
        const good = await withDeadline(ask, { ...limits, signal: closing });
        if (!good) throw new UpstreamError("rejected", "the credential is no longer good");
        entry.verifiedAt = this.#now();
        entry.trust = "proven";
      } catch (error) {
        if (provesInvalid(error)) this.#roster.rejected(entry, error);
        else if (UpstreamError.is(error) && error.code === "rate-limited")
          this.#roster.rateLimited(entry, error);
        else {
          entry.verifiedAt = this.#now();
          if (entry.trust === "suspect") entry.trust = "kept";
        }
      }
    });
  }

  /** Stores what is known of a credential. */
  save(entry: Entry<C>): void {
    this.#begin(entry, "saving", async () => {
      const kept = await this.#store(entry, entry.credential);
      if (kept !== entry.credential) this.#use(entry, kept);
    });
  }

  /** Waits for what is at work, then stores what isn't stored yet. */
  async finish(): Promise<void> {
    const { jobs, settings } = this.#environment;
    const cancelTimer = settings.clock.after(CLOSING_GRACE, () => {
      this.#late.abort(
        new UpstreamError("timeout", "a refresh was still running when the upstream was closed"),
      );
    });
    await jobs.finished();
    cancelTimer();
    for (const entry of this.#roster.live()) if (entry.saveAt !== undefined) this.save(entry);
    await jobs.finished();
  }

  #begin(entry: Entry<C>, work: Work, job: () => Promise<void>): void {
    entry.work = work;
    const run = async (): Promise<void> => {
      await job();
      entry.work = undefined;
      if (entry.health.standing === "dead") this.#roster.erase(entry);
      this.#done();
    };
    this.#environment.jobs.run(run());
  }

  async #exchange(entry: Entry<C>): Promise<void> {
    const { source, settings, store, host } = this.#environment;
    let newer: StoredCredential<C> | undefined;
    await tryStorage(host, "a credential is refreshed without asking it", async () => {
      // Another process may have used up the refresh token already.
      newer = await store.readIfChanged(entry.id);
    });
    if (newer && !Bun.deepEquals(newer.credential, entry.credential)) {
      this.#use(entry, newer.credential);
    } else {
      this.#environment.signal.throwIfAborted();
      const limits = { what: "refreshing a credential", ms: REFRESH_DEADLINE, clock: settings.clock };
      const ask = async (signal: AbortSignal): Promise<C> =>
        (await source.refresh?.(entry.credential, signal)) ?? entry.credential;
      const next = await withDeadline(ask, { ...limits, signal: this.#late.signal });
      hide(this.#environment, next);
      this.#use(entry, await this.#store(entry, next));
    }
    if (entry.expiresAt <= this.#now())
      throw new UpstreamError("bad-response", "it came back expired: is the clock right?");
    entry.backoff = NO_BACKOFF;
  }

  /** Stores a credential for an entry, and gives what is to be used: it, or what somebody else stored meanwhile. */
  async #store(entry: Entry<C>, credential: C): Promise<C> {
    const { host, store } = this.#environment;
    entry.saveAt = undefined;
    let kept = credential;
    const stored = await tryStorage(host, "a restart may lose a credential", async () => {
      const record = toRecord(entry, credential, this.#now());
      kept = (await store.write(entry.id, record, entry.credential)).credential;
    });
    if (!stored) entry.saveAt ??= this.#now() + SAVE_AGAIN;
    return kept;
  }

  #use(entry: Entry<C>, credential: C): void {
    hide(this.#environment, credential);
    if (entry.health.standing !== "dead") this.#roster.renew(entry, credential);
  }

  #refreshFailed(entry: Entry<C>, error: unknown): void {
    const { host, settings } = this.#environment;
    const now = this.#now();
    if (entry.health.standing === "dead" || error === this.#environment.signal.reason) return;
    const hopeless = entry.account === undefined && now > entry.expiresAt + GIVE_UP;
    if ((provesInvalid(error) && !this.#environment.source.retryRejected) || hopeless) {
      this.#roster.retire(entry, error);
      return;
    }
    entry.backoff = backOff(entry.backoff, error, {
      now,
      random: settings.random,
      longest: lifetimeOf(entry),
    });
    entry.problem = messageOf(error);
    host.log.warn("refreshing a credential failed; backing off", {
      credential: shortId(entry.id),
      error: entry.problem,
      failures: entry.backoff.failures,
      wait_ms: Math.round(entry.backoff.until - now),
    });
  }

  #now(): number {
    return this.#environment.settings.clock.now();
  }
}

function toRecord<C extends Json>(entry: Entry<C>, credential: C, now: number): StoredCredential<C> {
  return {
    credential,
    account: entry.account,
    since: credential === entry.credential ? entry.since : now,
    lastUsed: entry.lastUsed,
    coolUntil: entry.health.coolUntil,
  };
}
