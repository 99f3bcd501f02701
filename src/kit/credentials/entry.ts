import type { Json, JsonObject } from "../../contract/index.ts";
import type { Backoff, Health } from "./health.ts";

/** One lease on a credential, as the pool keeps it. */
export interface Loan<C extends Json> {
  readonly entry: Entry<C>;
  readonly exclusive: boolean;
  /** The epoch of the credential's health when it was lent. */
  readonly epoch: number;
}

/** The background work on a credential. One at a time, so that none overwrites another's result. */
export type Work = "refreshing" | "verifying" | "saving";

/**
 * How far a credential is known to be valid: `proven` was created, refreshed, verified or accepted in this process,
 * `restored` only comes from storage, and `suspect` is a restored one after another restored one was rejected.
 */
export type Trust = "proven" | "restored" | "suspect";

/** A credential in the pool. Times are milliseconds since 1970. */
export interface Entry<C extends Json> {
  readonly id: string;
  /** The configured account it comes from. */
  readonly account: string | undefined;
  credential: C;
  /** Infinity: never. */
  expiresAt: number;
  /** When the present credential was created or refreshed. */
  since: number;
  /** The number of refreshes in this process. */
  renewals: number;
  /** When it was last verified; 0: never. */
  verifiedAt: number;
  trust: Trust;
  /** It was created by this process, and no call has succeeded with it yet. */
  untried: boolean;
  lastUsed: number;
  /** Its share of the requests; undefined if the source has no weights. */
  readonly weight: number | undefined;
  /** Its virtual time in weighted fair queueing: the lowest is lent first. */
  turn: number;
  health: Health;
  readonly loans: Set<Loan<C>>;
  work: Work | undefined;
  /** After failed refreshes. */
  backoff: Backoff;
  /** When its record is to be stored; undefined: the stored one is up to date. */
  saveAt: number | undefined;
  /** Its last error, for `status()`. */
  problem: string | undefined;
}

const STATES = [
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

/** Returns an entry's state. A refresh only shows while the credential can't be lent. */
export function stateOf<C extends Json>(entry: Entry<C>, now: number): (typeof STATES)[number] {
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

/** Returns whether health and expiry allow lending an entry. */
export function isUsable<C extends Json>(entry: Entry<C>, now: number): boolean {
  const state = stateOf(entry, now);
  return state === "fresh" || state === "leased" || state === "probing";
}

/** Returns whether an entry's other leases allow one more: none beside an exclusive one, `probes` while probing. */
export function hasCapacity<C extends Json>(
  entry: Entry<C>,
  exclusive: boolean,
  { leases, probes }: { readonly leases: number; readonly probes: number },
): boolean {
  if (entry.loans.size >= (exclusive ? 1 : leases)) return false;
  const { standing, epoch } = entry.health;
  let probing = 0;
  for (const loan of entry.loans) {
    if (loan.exclusive) return false;
    if (standing === "probing" && loan.epoch === epoch) probing++;
  }
  return probing < probes;
}

/** Returns the entry to lend first: by weight the lowest turn, else the fewest leases; then the least recently used. */
export function leastUsed<C extends Json>(entries: readonly Entry<C>[]): Entry<C> | undefined {
  return entries.reduce<Entry<C> | undefined>(
    (best, entry) => (best && !isLessUsed(entry, best) ? best : entry),
    undefined,
  );
}

function isLessUsed<C extends Json>(one: Entry<C>, other: Entry<C>): boolean {
  if (one.weight !== undefined && one.turn !== other.turn) return one.turn < other.turn;
  if (one.weight === undefined && one.loans.size !== other.loans.size)
    return one.loans.size < other.loans.size;
  return one.lastUsed < other.lastUsed;
}

/** Identifies an entry's present credential: a refresh changes it. */
export function versionOf<C extends Json>({ id, renewals }: Entry<C>): string {
  return `${id} ${renewals}`;
}

/** Returns whether `except` excludes an entry. One that is to be refreshed will have another version. */
export function isExcluded<C extends Json>(entry: Entry<C>, except: ReadonlySet<string>): boolean {
  return except.size > 0 && entry.health.standing !== "doubted" && except.has(versionOf(entry));
}

/** Returns how long an entry's present credential is valid in all, in milliseconds. */
export function lifetimeOf<C extends Json>({ since, expiresAt }: Entry<C>): number {
  return Math.max(0, expiresAt - since);
}

/** Shortens a credential's id for logs and status. */
export function shortId(id: string): string {
  return id.length <= 12 ? id : `${id.slice(0, 8)}…`;
}

/** Counts entries by state, for `status()`. */
export function countStates<C extends Json>(entries: readonly Entry<C>[], now: number): JsonObject {
  const counts: Record<string, number> = Object.fromEntries(STATES.map((state) => [state, 0]));
  for (const entry of entries) {
    const state = stateOf(entry, now);
    counts[state] = (counts[state] ?? 0) + 1;
  }
  return counts;
}

/** Describes an entry for `status()`, without secrets; `until` is the end of its cooling or its expiry. */
export function describeEntry<C extends Json>(entry: Entry<C>, now: number): JsonObject {
  const state = stateOf(entry, now);
  const until = state === "cooling" ? entry.health.coolUntil : entry.expiresAt;
  return {
    id: shortId(entry.id),
    state,
    leases: entry.loans.size,
    ...(state !== "dead" && until !== Infinity && { until: new Date(until).toISOString() }),
    ...(entry.problem !== undefined && { error: entry.problem }),
  };
}
