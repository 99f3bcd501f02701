import type { Json } from "../../contract/index.ts";
import type { CredentialSet, PoolContext } from "./credential-set.ts";
import { isExcluded, isUsable } from "./entry.ts";
import type { Entry } from "./entry.ts";
import type { Origin, Provisioner } from "./provisioner.ts";

/** What a schedule is computed from. */
export interface ScheduleInputs<C extends Json> {
  readonly set: CredentialSet<C>;
  readonly provisioner: Provisioner<C>;
  readonly waiters: { readonly size: number };
}

/** Computes what is due in a pool, and when. Changes nothing. */
export class Schedule<C extends Json> {
  readonly #context: PoolContext<C>;
  readonly #inputs: ScheduleInputs<C>;

  constructor(context: PoolContext<C>, inputs: ScheduleInputs<C>) {
    this.#context = context;
    this.#inputs = inputs;
  }

  /** Returns how many calls wait beyond those for whom a credential is being refreshed or verified. */
  unmetDemand(now: number): number {
    const { set, waiters } = this.#inputs;
    let pending = 0;
    for (const entry of set.live.values()) if (isBecomingUsable(entry, now)) pending++;
    return waiters.size - pending;
  }

  /** Returns where the next credential is to come from, once its back-off is over; undefined if none is wanted. */
  nextOrigin(now: number): Origin<C> | undefined {
    const { provisioner } = this.#inputs;
    return provisioner.isBusy || !this.#mayGrow() ? undefined : provisioner.next(this.#isWanted(now));
  }

  /** Returns the earliest time at which a call that excludes `except` may be served; Infinity: never. */
  usableFrom(now: number, except: ReadonlySet<string>): number {
    const { set, provisioner } = this.#inputs;
    if (provisioner.isBusy) return now;
    const origin = this.#mayGrow() ? provisioner.next(true) : undefined;
    let earliest = origin ? provisioner.retryAt(origin) : Infinity;
    for (const entry of set.live.values()) {
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
    const { set, provisioner } = this.#inputs;
    const origin = this.nextOrigin(now);
    let next = origin ? provisioner.retryAt(origin) : Infinity;
    for (const entry of set.live.values()) {
      for (const time of this.#timesOf(entry)) if (time > now) next = Math.min(next, time);
    }
    return next;
  }

  /** Returns the times at which an entry needs something. The end of its work is an event of its own. */
  #timesOf(entry: Entry<C>): readonly number[] {
    const times: number[] = [];
    if (!this.#context.source.refresh) times.push(this.#expiresSoonAt(entry), entry.expiresAt);
    else if (entry.work === undefined) times.push(this.refreshAt(entry));
    if (entry.work === undefined && entry.saveAt !== undefined) times.push(entry.saveAt);
    if (this.#inputs.waiters.size > 0) times.push(entry.health.coolUntil);
    return times;
  }

  #mayGrow(): boolean {
    return this.#inputs.set.live.size < this.#context.settings.max;
  }

  /** Returns whether the waiting calls need one more, or fewer than `min` will be left soon. */
  #isWanted(now: number): boolean {
    if (this.unmetDemand(now) > 0) return true;
    const { source, settings } = this.#context;
    let lasting = 0;
    for (const entry of this.#inputs.set.live.values()) {
      if (source.refresh || now < this.#expiresSoonAt(entry)) lasting++;
    }
    return lasting < settings.min;
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
