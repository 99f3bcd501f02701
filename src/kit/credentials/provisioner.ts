import type { Json } from "../../contract/index.ts";
import { UpstreamError } from "../../contract/index.ts";
import { backOff, provesInvalid, messageOf, NO_BACKOFF } from "./backoff.ts";
import type { Backoff } from "./backoff.ts";
import { withDeadline } from "./deadline.ts";
import { shortId } from "./entry.ts";
import { hide } from "./context.ts";
import type { PoolContext } from "./context.ts";
import type { CredentialSet } from "./credential-set.ts";
import { tryStorage } from "./store.ts";
import type { CredentialAccount } from "./types.ts";

/** One way to get a credential: a configured account, which is good for one, or signing up. */
export interface Origin<C extends Json> {
  readonly account: string | undefined;
  readonly open: (signal: AbortSignal) => Promise<C>;
  backoff: Backoff;
}

const DEADLINE = 30_000;

/**
 * Where new credentials come from: first the configured accounts, then `create`. Makes one at a time; a way
 * that fails is left alone for a while.
 */
export class Provisioner<C extends Json> {
  readonly #environment: PoolContext<C>;
  readonly #roster: CredentialSet<C>;
  #accounts: Origin<C>[] = [];
  readonly #creation: Origin<C> | undefined;
  /** After credentials that were refused before they were of any use. */
  #waste = NO_BACKOFF;
  #making = false;
  #problem: unknown;

  constructor(environment: PoolContext<C>, roster: CredentialSet<C>) {
    this.#environment = environment;
    this.#roster = roster;
    const { source } = environment;
    const open = source.create?.bind(source);
    if (open) this.#creation = { account: undefined, open, backoff: NO_BACKOFF };
  }

  /** One is being made right now. */
  get making(): boolean {
    return this.#making;
  }

  /** Why the last one could not be made; undefined if it could. */
  get problem(): unknown {
    return this.#problem;
  }

  proved(): void {
    this.#waste = NO_BACKOFF;
  }

  /**
   * One may have been unlucky. After the next ones signing up waits longer each time: what refuses good users, such as
   * a way to them that has changed, would refuse the next ones, too.
   */
  wasted(error: unknown): void {
    const { settings } = this.#environment;
    const isFirst = this.#waste.failures === 0;
    this.#waste = backOff(this.#waste, error, { now: settings.clock.now(), random: settings.random });
    this.#problem = error;
    if (this.#creation && !isFirst) this.#creation.backoff = this.#waste;
  }

  /** Accounts that are still to be opened. */
  expect(accounts: readonly CredentialAccount<C>[]): void {
    this.#accounts = accounts.map((account) => ({
      account: account.id,
      open: (signal) => account.open(signal),
      backoff: NO_BACKOFF,
    }));
  }

  /** The way that may be tried first: accounts in any case, `create` only if there is a `demand`. */
  next(demand: boolean): Origin<C> | undefined {
    const now = this.#environment.settings.clock.now();
    const wait = (way: Origin<C>): number => Math.max(0, way.backoff.until - now);
    return this.#ways(demand).reduce<Origin<C> | undefined>(
      (first, way) => (first && wait(first) <= wait(way) ? first : way),
      undefined,
    );
  }

  /** Makes one and puts it into the roster. Never rejects. */
  async make(way: Origin<C>): Promise<void> {
    this.#making = true;
    const { signal, settings } = this.#environment;
    try {
      const limits = { what: "making a credential", ms: DEADLINE, clock: settings.clock };
      this.#admit(await withDeadline(way.open, { ...limits, signal }), way.account);
      way.backoff = NO_BACKOFF;
      this.#problem = undefined;
      this.#forget(way);
    } catch (error) {
      if (!signal.aborted) await this.#failed(way, error);
    } finally {
      this.#making = false;
    }
  }

  /** Takes in a credential that was just made; throws if it is of no use. */
  #admit(credential: C, account: string | undefined): void {
    const { source, host, settings } = this.#environment;
    hide(this.#environment, credential);
    const id = source.identify(credential);
    const now = settings.clock.now();
    const known = this.#roster.find(id);
    if (known) {
      this.#roster.renew(known, credential);
      known.saveAt = now;
      if (account !== undefined) return;
      throw new UpstreamError("bad-response", "a credential was made that is already there");
    }
    if ((source.expiresAt?.(credential) ?? Infinity) <= now) {
      throw new UpstreamError("bad-response", "a new credential is expired: is the clock right?");
    }
    const record = { credential, account, since: now, lastUsed: 0, coolUntil: 0 };
    this.#roster.add(id, record, "proven").saveAt = now;
    host.log.info("a credential is made", { credential: shortId(id), account });
  }

  #ways(demand: boolean): readonly Origin<C>[] {
    return demand && this.#creation ? [...this.#accounts, this.#creation] : this.#accounts;
  }

  async #failed(way: Origin<C>, error: unknown): Promise<void> {
    const { host, settings, store } = this.#environment;
    const now = settings.clock.now();
    this.#problem = error;
    way.backoff = backOff(way.backoff, error, { now, random: settings.random });
    const { account } = way;
    if (account !== undefined && provesInvalid(error)) {
      host.log.warn("an account is used up", { account, error: messageOf(error) });
      this.#forget(way);
      await tryStorage(host, "a used-up account could not be marked", () => store.markUsedUp(account));
      return;
    }
    host.log.warn("making a credential failed; backing off", {
      account,
      error: messageOf(error),
      failures: way.backoff.failures,
      wait_ms: Math.round(way.backoff.until - now),
    });
  }

  #forget(way: Origin<C>): void {
    this.#accounts = this.#accounts.filter((other) => other !== way);
  }
}
