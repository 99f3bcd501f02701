import type { Json } from "../../contract/index.ts";
import type { CredentialSet, PoolContext } from "./credential-set.ts";
import { isExcluded, isUsable } from "./entry.ts";
import type { Entry } from "./entry.ts";
import type { Origin, Provisioner } from "./provisioner.ts";

/** Computes what is due in a pool, and when. Changes nothing. */
export class Schedule<C extends Json> {
  readonly #context: PoolContext<C>;
  readonly #set: CredentialSet<C>;
  readonly #provisioner: Provisioner<C>;

  constructor(context: PoolContext<C>, set: CredentialSet<C>, provisioner: Provisioner<C>) {
    this.#context = context;
    this.#set = set;
    this.#provisioner = provisioner;
  }

  /** Returns how many calls wait beyond those for whom a credential is being refreshed or verified. */
  unmetDemand(now: number): number {
    const pending = [...this.#set.live.values()].filter((entry) => isBecomingUsable(entry, now));
    return this.#context.waiters.size - pending.length;
  }

  /** Returns where the next credential is to come from, once its back-off is over; undefined if none is wanted. */
  nextOrigin(now: number): Origin<C> | undefined {
    if (this.#provisioner.isBusy || !this.#mayGrow()) return undefined;
    return this.#provisioner.next(this.#isWanted(now));
  }

  /** Returns the earliest time at which a call that excludes `except` may be served; Infinity: never. */
  usableFrom(now: number, except: ReadonlySet<string>): number {
    if (this.#provisioner.isBusy) return now;
    const origin = this.#mayGrow() ? this.#provisioner.next(true) : undefined;
    let earliest = origin ? this.#provisioner.retryAt(origin) : Infinity;
    for (const entry of this.#set.live.values()) {
      if (!isExcluded(entry, except)) earliest = Math.min(earliest, entryUsableFrom(entry, now));
    }
    return earliest;
  }

  /** Returns when an entry is to be refreshed: at once if it was rejected, but not before its back-off is over. */
  refreshAt(entry: Entry<C>): number {
    const wanted = entry.health.standing === "doubted" ? 0 : this.#expiresSoonAt(entry);
    return Math.max(wanted, entry.backoff.until);
  }

  /** Returns when the pool has to act if nothing happens before; Infinity: never. */
  nextEvent(now: number): number {
    const origin = this.nextOrigin(now);
    const times = [...this.#set.live.values()].flatMap((entry) => this.#timesOf(entry));
    const later = times.filter((time) => time > now);
    return Math.min(origin ? this.#provisioner.retryAt(origin) : Infinity, ...later);
  }

  /** Returns the times at which an entry needs something. The end of its work is an event of its own. */
  #timesOf(entry: Entry<C>): readonly number[] {
    const times: number[] = [];
    if (!this.#context.source.refresh) times.push(this.#expiresSoonAt(entry), entry.expiresAt);
    else if (entry.work === undefined) times.push(this.refreshAt(entry));
    if (entry.work === undefined && entry.saveAt !== undefined) times.push(entry.saveAt);
    if (this.#context.waiters.size > 0) times.push(entry.health.coolUntil);
    return times;
  }

  #mayGrow(): boolean {
    return this.#set.live.size < this.#context.settings.max;
  }

  /** Returns whether the waiting calls need one more, or fewer than `min` will be left soon. */
  #isWanted(now: number): boolean {
    if (this.unmetDemand(now) > 0) return true;
    const { source, settings } = this.#context;
    const canRefresh = source.refresh !== undefined;
    const lasting = [...this.#set.live.values()].filter(
      (entry) => canRefresh || now < this.#expiresSoonAt(entry),
    );
    return lasting.length < settings.min;
  }

  /** Returns `refreshBefore` the expiry, or half the lifetime if that is less: short-lived ones must last a while. */
  #expiresSoonAt({ expiresAt, since }: Entry<C>): number {
    if (expiresAt === Infinity) return Infinity;
    const { refreshBefore } = this.#context.settings;
    return expiresAt - Math.min(refreshBefore, Math.max(0, expiresAt - since) / 2);
  }
}

/** Returns the earliest time at which an entry may be usable; work that goes on may end at once. */
function entryUsableFrom<C extends Json>(entry: Entry<C>, now: number): number {
  const needsRefresh = entry.health.standing === "doubted" || now >= entry.expiresAt;
  const refreshed = needsRefresh && entry.work === undefined ? entry.backoff.until : now;
  return Math.max(now, refreshed, entry.health.coolUntil);
}

/** Returns whether work is under way after which an entry is probably usable. */
function isBecomingUsable<C extends Json>(entry: Entry<C>, now: number): boolean {
  const { work, health } = entry;
  return (work === "verifying" || work === "refreshing") && !isUsable(entry, now) && now >= health.coolUntil;
}
