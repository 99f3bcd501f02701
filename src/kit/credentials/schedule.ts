import type { Json } from "../../contract/index.ts";
import { usableFrom, isExcluded, isUsable, expiresSoonAt, refreshAt } from "./entry.ts";
import type { Entry } from "./entry.ts";
import type { PoolContext } from "./context.ts";
import type { CredentialSet } from "./credential-set.ts";
import type { Provisioner, Origin } from "./provisioner.ts";

/** What the outlook looks at. */
export interface Situation<C extends Json> {
  readonly roster: CredentialSet<C>;
  readonly supply: Provisioner<C>;
  readonly queue: { readonly size: number };
}

/** What is wanted, what may be hoped for, and when something will be due. It looks, and changes nothing. */
export class Schedule<C extends Json> {
  readonly #environment: PoolContext<C>;
  readonly #situation: Situation<C>;

  constructor(environment: PoolContext<C>, situation: Situation<C>) {
    this.#environment = environment;
    this.#situation = situation;
  }

  /** How many wait beyond those for whom a credential is being made fit again. */
  unmet(now: number): number {
    const { roster, queue } = this.#situation;
    let readying = 0;
    for (const entry of roster.live()) if (isReadied(entry, now)) readying++;
    return queue.size - readying;
  }

  /** The way in which the next credential is to be made, as soon as its back-off is over. */
  nextWay(now: number): Origin<C> | undefined {
    const { supply } = this.#situation;
    return supply.making || !this.#mayGrow() ? undefined : supply.next(this.#isWanted(now));
  }

  /** The earliest time at which somebody who waits for none of `except` may be served; Infinity: never. */
  hope(now: number, except: ReadonlySet<string>): number {
    const { roster, supply } = this.#situation;
    if (supply.making) return now;
    const way = this.#mayGrow() ? supply.next(true) : undefined;
    let hope = way?.backoff.until ?? Infinity;
    for (const entry of roster.live()) {
      if (!isExcluded(entry, except)) hope = Math.min(hope, usableFrom(entry, now));
    }
    return hope;
  }

  /** When something will be due if nothing else happens before; Infinity: never. */
  nextEvent(now: number): number {
    let next = this.nextWay(now)?.backoff.until ?? Infinity;
    for (const entry of this.#situation.roster.live()) {
      for (const time of this.#timesOf(entry)) if (time > now) next = Math.min(next, time);
    }
    return next;
  }

  /** The times at which something is to be done with a credential. What is at work speaks up when it is done. */
  #timesOf(entry: Entry<C>): readonly number[] {
    const { source, settings } = this.#environment;
    const times: number[] = [];
    if (!source.refresh) times.push(expiresSoonAt(entry, settings.refreshBefore), entry.expiresAt);
    else if (entry.work === undefined) times.push(refreshAt(entry, settings.refreshBefore));
    if (entry.work === undefined && entry.saveAt !== undefined) times.push(entry.saveAt);
    if (this.#situation.queue.size > 0) times.push(entry.health.coolUntil);
    return times;
  }

  #mayGrow(): boolean {
    return this.#situation.roster.size < this.#environment.settings.max;
  }

  /** True if those who wait want one more, or if fewer than `min` will soon be left. */
  #isWanted(now: number): boolean {
    if (this.unmet(now) > 0) return true;
    const { source, settings } = this.#environment;
    let lasting = 0;
    for (const entry of this.#situation.roster.live()) {
      if (source.refresh || now < expiresSoonAt(entry, settings.refreshBefore)) lasting++;
    }
    return lasting < settings.min;
  }
}

/** True if work is under way after which it can probably be lent. */
function isReadied(entry: Entry<Json>, now: number): boolean {
  const { work, health } = entry;
  return (work === "verifying" || work === "refreshing") && !isUsable(entry, now) && now >= health.coolUntil;
}
