import type { Json } from "../../contract/index.ts";
import { UpstreamError } from "../../contract/index.ts";
import { withDeadline } from "../clock.ts";
import type { CredentialSet, PoolContext } from "./credential-set.ts";
import { shortId } from "./entry.ts";
import { backOff, messageOf, NO_BACKOFF, provesInvalid } from "./health.ts";
import type { Backoff } from "./health.ts";
import type { CredentialAccount } from "./types.ts";

/** One way to get a credential: a configured account, which gives one, or the source's `create`. */
export interface Origin<C extends Json> {
  readonly account: string | undefined;
  readonly open: (signal: AbortSignal) => Promise<C>;
  backoff: Backoff;
}

const DEADLINE = 30_000;

/** Gets new credentials, one at a time: first from the configured accounts, then by `create`. */
export class Provisioner<C extends Json> {
  readonly #context: PoolContext<C>;
  readonly #set: CredentialSet<C>;
  #accounts: Origin<C>[] = [];
  readonly #creation: Origin<C> | undefined;
  #isBusy = false;

  constructor(context: PoolContext<C>, set: CredentialSet<C>) {
    this.#context = context;
    this.#set = set;
    const open = context.source.create?.bind(context.source);
    if (open) this.#creation = { account: undefined, open, backoff: NO_BACKOFF };
  }

  /** True while a credential is being created. */
  get isBusy(): boolean {
    return this.#isBusy;
  }

  /** Sets the accounts that are still to be opened. */
  expect(accounts: readonly CredentialAccount<C>[]): void {
    this.#accounts = accounts.map((account) => ({
      account: account.id,
      open: (signal) => account.open(signal),
      backoff: NO_BACKOFF,
    }));
  }

  /** Returns the origin that may be tried first: an account in any case, `create` only if `mayCreate`. */
  next(mayCreate: boolean): Origin<C> | undefined {
    const now = this.#context.now();
    const origins = mayCreate && this.#creation ? [...this.#accounts, this.#creation] : this.#accounts;
    const at = (origin: Origin<C>): number => Math.max(now, this.retryAt(origin));
    return origins.toSorted((one, other) => at(one) - at(other))[0];
  }

  /**
   * Returns when an origin may be tried. One wasted credential may be chance; from the second on `create` waits longer
   * each time, since what rejects good users, such as a changed address, would reject the next ones, too.
   */
  retryAt({ account, backoff }: Origin<C>): number {
    const { failures, until } = this.#set.wasted;
    return account === undefined && failures > 1 ? Math.max(backoff.until, until) : backoff.until;
  }

  /** Gets a credential from an origin and adds it to the set. Never rejects. */
  async provide(origin: Origin<C>): Promise<void> {
    const { signal, settings } = this.#context;
    this.#isBusy = true;
    try {
      const deadline = { what: "creating a credential", ms: DEADLINE, clock: settings.clock, signal };
      this.#add(await withDeadline(origin.open, deadline), origin.account);
      origin.backoff = NO_BACKOFF;
      this.#set.problem = undefined;
      this.#remove(origin);
    } catch (error) {
      if (!signal.aborted) this.#failed(origin, error);
    } finally {
      this.#isBusy = false;
    }
  }

  /** Adds a new credential to the set; throws if it can't be used. */
  #add(credential: C, account: string | undefined): void {
    const { source, host } = this.#context;
    this.#set.hideSecrets(credential);
    const id = source.identify(credential);
    const now = this.#context.now();
    const known = this.#set.live.get(id);
    if (known) {
      this.#set.renew(known, credential);
      known.saveAt = now;
      if (account !== undefined) return;
      throw new UpstreamError("bad-response", "the new credential is already there");
    }
    if ((source.expiresAt?.(credential) ?? Infinity) <= now) {
      throw new UpstreamError("bad-response", "the new credential is expired: is the clock right?");
    }
    const record = { credential, account, since: now, lastUsed: 0, coolUntil: 0 };
    this.#set.add(id, record, "proven").saveAt = now;
    host.log.info("credential created", { credential: shortId(id), account });
  }

  #failed(origin: Origin<C>, error: unknown): void {
    const { host, settings, store, run } = this.#context;
    const { account } = origin;
    const now = this.#context.now();
    this.#set.problem = error;
    if (account !== undefined && provesInvalid(error)) {
      host.log.warn("account retired; change its credential in the configuration", {
        account,
        error: messageOf(error),
      });
      this.#remove(origin);
      run(store.retireAccount(account));
      return;
    }
    origin.backoff = backOff(origin.backoff, error, { now, random: settings.random });
    host.log.warn("creating a credential failed", {
      account,
      error: messageOf(error),
      failures: origin.backoff.failures,
      wait_ms: Math.round(origin.backoff.until - now),
    });
  }

  #remove(origin: Origin<C>): void {
    this.#accounts = this.#accounts.filter((other) => other !== origin);
  }
}
