import type { Json } from "../../contract/index.ts";
import type { Backoff } from "./backoff.ts";
import type { Health } from "./health.ts";

/** One lease on a credential, as the pool keeps it. */
export interface Loan {
  readonly exclusive: boolean;
  /** The epoch of the credential's health when it was lent. */
  readonly epoch: number;
}

/** What is being done with a credential in the background. One thing at a time, so that none undoes another. */
export type Work = "refreshing" | "verifying" | "saving";

/**
 * What speaks for a credential: this process has made it or seen it taken (`proven`), or only the storage has it
 * (`kept`); a `suspect` is one of those after another of them was rejected: the service may have forgotten all.
 */
export type Trust = "proven" | "kept" | "suspect";

/** A credential in the pool. Times are milliseconds since 1970. */
export interface Entry<C extends Json> {
  readonly id: string;
  /** The configured account it comes from. */
  readonly account: string | undefined;
  credential: C;
  /** Infinity: never. */
  expiresAt: number;
  /** When this very credential was made or refreshed. */
  since: number;
  /** How often it was replaced by a newer one in this process. */
  renewals: number;
  /** When it was last found good without being used; 0: never. */
  verifiedAt: number;
  trust: Trust;
  /** It was made by this process, and has never been of use yet. */
  untried: boolean;
  lastUsed: number;
  /** Its share of the work; undefined if its source doesn't say. */
  readonly weight: number | undefined;
  /** When it is its turn beside the others, in units of work; only counts where there are weights. */
  turn: number;
  health: Health;
  readonly loans: Set<Loan>;
  work: Work | undefined;
  /** After refreshes that failed. */
  backoff: Backoff;
  /** When its record is to be stored; undefined: the stored one is good enough. */
  saveAt: number | undefined;
  /** Its last error, for people. */
  problem: string | undefined;
}

/** What a credential is doing, for people. */
export type EntryState = (typeof STATES)[number];

export const STATES = [
  "fresh",
  "leased",
  "cooling",
  "probing",
  "doubted",
  "expired",
  "refreshing",
  "verifying",
  "dead",
] as const;

/** What it is doing now. A refresh in the background only shows when the credential can't be lent meanwhile. */
export function stateOf(entry: Entry<Json>, now: number): EntryState {
  const { standing, coolUntil } = entry.health;
  if (standing === "dead") return "dead";
  if (entry.work === "verifying") return "verifying";
  if (standing === "doubted" || now >= entry.expiresAt) {
    if (entry.work === "refreshing") return "refreshing";
    return standing === "doubted" ? "doubted" : "expired";
  }
  if (now < coolUntil) return "cooling";
  if (standing === "probing") return "probing";
  return entry.loans.size > 0 ? "leased" : "fresh";
}

/** True if health and time allow lending it, whoever has it now. */
export function isUsable(entry: Entry<Json>, now: number): boolean {
  const state = stateOf(entry, now);
  return state === "fresh" || state === "leased" || state === "probing";
}

/** True if it is no suspect, and was used, verified, refreshed or made less than `verifyAfter` ago. */
export function isTrusted(entry: Entry<Json>, now: number, verifyAfter: number): boolean {
  if (entry.trust === "suspect") return false;
  return now - Math.max(entry.lastUsed, entry.since, entry.verifiedAt) <= verifyAfter;
}

/** How many leases a credential may have at once, and how many of them while it is probing. */
export interface Room {
  readonly leases: number;
  readonly probes: number;
}

/** True if its other leases leave room for one more: none beside an exclusive one, and few while it is probing. */
export function hasRoom(entry: Entry<Json>, exclusive: boolean, { leases, probes }: Room): boolean {
  if (entry.loans.size >= (exclusive ? 1 : leases)) return false;
  const { standing, epoch } = entry.health;
  let probing = 0;
  for (const loan of entry.loans) {
    if (loan.exclusive) return false;
    if (standing === "probing" && loan.epoch === epoch) probing++;
  }
  return probing < probes;
}

/** The one to lend first: by weight the one whose turn it is, else least leases; then least recently used. */
export function leastUsed<C extends Json>(entries: Iterable<Entry<C>>): Entry<C> | undefined {
  let best: Entry<C> | undefined;
  for (const entry of entries) if (!best || isIdler(entry, best)) best = entry;
  return best;
}

function isIdler(one: Entry<Json>, other: Entry<Json>): boolean {
  if (one.weight !== undefined && one.turn !== other.turn) return one.turn < other.turn;
  if (one.weight === undefined && one.loans.size !== other.loans.size)
    return one.loans.size < other.loans.size;
  return one.lastUsed < other.lastUsed;
}

/**
 * When its end is near: `refreshBefore` its expiry, or in the middle of its life if that is shorter, so that
 * short-lived ones aren't refreshed without pause.
 */
export function expiresSoonAt(entry: Entry<Json>, refreshBefore: number): number {
  if (entry.expiresAt === Infinity) return Infinity;
  return entry.expiresAt - Math.min(refreshBefore, Math.max(0, entry.expiresAt - entry.since) / 2);
}

/** When it is to be refreshed: at once if it is doubted, but not before the back-off of failed tries is over. */
export function refreshAt(entry: Entry<Json>, refreshBefore: number): number {
  const wish = entry.health.standing === "doubted" ? 0 : expiresSoonAt(entry, refreshBefore);
  return Math.max(wish, entry.backoff.until);
}

/** The earliest time at which it may be good to lend, as far as can be told; what is at work may end at once. */
export function usableFrom(entry: Entry<Json>, now: number): number {
  const unfit = entry.health.standing === "doubted" || now >= entry.expiresAt;
  const refreshed = unfit && entry.work === undefined ? entry.backoff.until : now;
  return Math.max(now, refreshed, entry.health.coolUntil);
}

/** Names the very credential that an entry has now: after a refresh it is another. */
export function versionOf({ id, renewals }: Entry<Json>): string {
  return `${id} ${renewals}`;
}

/**
 * True if whoever refuses these versions can't have it. What is to be refreshed because it was refused will be another
 * version.
 */
export function isExcluded(entry: Entry<Json>, except: ReadonlySet<string>): boolean {
  return except.size > 0 && entry.health.standing !== "doubted" && except.has(versionOf(entry));
}

/** How long this very credential is good for, in milliseconds. */
export function lifetimeOf({ since, expiresAt }: Entry<Json>): number {
  return Math.max(0, expiresAt - since);
}

/** Enough of an id to tell credentials apart in a log. */
export function shortId(id: string): string {
  return id.length <= 12 ? id : `${id.slice(0, 8)}…`;
}
