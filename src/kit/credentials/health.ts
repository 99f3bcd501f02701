import { UpstreamError } from "../../contract/index.ts";
import { singleLine } from "../json/values.ts";

/**
 * A credential's standing with the upstream, as plain data, and how each report changes it. Cooling is no standing: it
 * is probing before `coolUntil`, so that its end needs no event.
 *
 *     fresh ──rate-limited──▶ cooling ──time──▶ probing ──succeeded──▶ fresh
 *     fresh ──rejected──────▶ doubted ──refresh─▶ probing ──rejected──▶ dead
 */
export interface Health {
  readonly standing: "fresh" | "probing" | "doubted" | "dead";
  /** It may not be lent before (milliseconds since 1970). */
  readonly coolUntil: number;
  /** The length of the last cooling; 0 after a success. */
  readonly cooled: number;
  /** It was refreshed after a rejection, and the upstream hasn't accepted it yet. */
  readonly rejectedBefore: boolean;
  /** Counts coolings and rejections, so that reports of older leases can be told apart. */
  readonly epoch: number;
}

/** The health of a new credential. */
export const FRESH: Health = {
  standing: "fresh",
  coolUntil: 0,
  cooled: 0,
  rejectedBefore: false,
  epoch: 0,
};

const FIRST_COOLING = 5000;
const LONGEST_COOLING = 10 * 60_000;
/** Age up to which a rejection means that a refresh didn't help; an older credential may have been valid and revoked. */
const JUST_REFRESHED = 60_000;

/**
 * Returns the health after a rate limit (429): cooling as long as the upstream asks, or 5 s, at least twice as long as
 * the last time without a success since. Further reports during a cooling never shorten it and don't double it.
 */
export function afterRateLimit(health: Health, now: number, retryAfterMs: number | undefined): Health {
  if (health.standing === "dead") return health;
  if (now < health.coolUntil) {
    return { ...health, coolUntil: Math.max(health.coolUntil, now + (retryAfterMs ?? 0)) };
  }
  const cooled = Math.max(retryAfterMs ?? FIRST_COOLING, Math.min(2 * health.cooled, LONGEST_COOLING));
  const standing = health.standing === "doubted" ? "doubted" : "probing";
  return { ...health, standing, coolUntil: now + cooled, cooled, epoch: health.epoch + 1 };
}

/**
 * Returns the health after a rejection (401, 403). Services revoke tokens at any age, so the credential is to be
 * refreshed, unless it can't be or has just been refreshed for that reason: then it is dead.
 */
export function afterRejection(
  health: Health,
  { canRefresh, age, life }: { readonly canRefresh: boolean; readonly age: number; readonly life: number },
): Health {
  if (health.standing === "dead" || health.standing === "doubted") return health;
  const isJustRefreshed = health.rejectedBefore && age < Math.min(JUST_REFRESHED, life / 2);
  if (!canRefresh || isJustRefreshed) return { ...health, standing: "dead" };
  return { ...health, standing: "doubted", rejectedBefore: true, epoch: health.epoch + 1 };
}

/** Returns the health after a refresh: a doubted credential may be probed. */
export function afterRefresh(health: Health): Health {
  return health.standing === "doubted"
    ? { ...health, standing: "probing" }
    : { ...health, rejectedBefore: false };
}

/** Returns the health after a success of a lease that began in `epoch`: a probing credential is fresh again. */
export function afterSuccess(health: Health, epoch: number): Health {
  if (health.standing !== "probing" || epoch !== health.epoch) return health;
  return { ...FRESH, epoch };
}

/** The failures in a row of an operation, and when it may be tried again (milliseconds since 1970). */
export interface Backoff {
  readonly failures: number;
  readonly until: number;
}

/** The back-off without failures. */
export const NO_BACKOFF: Backoff = { failures: 0, until: 0 };

const FIRST_BACKOFF = 1000;
const LONGEST_BACKOFF = 10 * 60_000;
/** Lower bound of the ceiling, so that short-lived tokens don't flood a service that is down. */
const LOWEST_CEILING = 10_000;
/** Lower bound of the wait: full jitter may draw 0. */
const SHORTEST_BACKOFF = 100;

/**
 * Returns the back-off after one more failure: exponential with full jitter, from 1 s up to 10 min or `longest`, and
 * not before the time that the upstream named.
 */
export function backOff(
  before: Backoff,
  error: unknown,
  { now, random, longest = LONGEST_BACKOFF }: { now: number; random: () => number; longest?: number },
): Backoff {
  const most = Math.max(LOWEST_CEILING, Math.min(LONGEST_BACKOFF, longest));
  const ceiling = Math.min(most, FIRST_BACKOFF * 2 ** before.failures);
  const wait = Math.max(SHORTEST_BACKOFF, random() * ceiling, retryAfter(error) ?? 0);
  return { failures: before.failures + 1, until: now + wait };
}

/** Returns how long the upstream asks to wait, in milliseconds, if it says so. */
export function retryAfter(error: unknown): number | undefined {
  const wait = UpstreamError.is(error) ? (error.retryAfterMs ?? 0) : 0;
  return wait > 0 && wait < Infinity ? wait : undefined;
}

/** Returns whether an error means that the credential itself is invalid. */
export function provesInvalid(error: unknown): boolean {
  return UpstreamError.is(error) && (error.code === "rejected" || error.code === "bad-request");
}

/** Returns an error's message in one line, for logs and status. */
export function messageOf(error: unknown): string {
  return singleLine(error instanceof Error ? error.message : String(error));
}
