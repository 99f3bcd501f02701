/**
 * What is known of a credential's standing with the upstream, as plain data, and how each report changes it.
 *
 *     fresh ──rate-limited──▶ cooling ──time──▶ probing ──succeeded──▶ fresh
 *     fresh ──rejected──────▶ doubted ──refresh─▶ probing ──rejected──▶ dead
 *
 * Cooling isn't stored: it is probing before `coolUntil`, so that no event is needed when its time is over.
 * @module
 */
export interface Health {
  readonly standing: "fresh" | "probing" | "doubted" | "dead";
  /** It must rest until then (milliseconds since 1970). */
  readonly coolUntil: number;
  /** How long it was last told to rest; 0 once the upstream has taken it again. */
  readonly cooled: number;
  /** It was refreshed because the one before was rejected, and the upstream hasn't taken it yet. */
  readonly rejectedBefore: boolean;
  /** Counts the falls from grace: what was lent before the last one says nothing about the present. */
  readonly epoch: number;
}

/** How a credential begins. */
export const FRESH: Health = {
  standing: "fresh",
  coolUntil: 0,
  cooled: 0,
  rejectedBefore: false,
  epoch: 0,
};

const FIRST_COOLING = 5000;
const LONGEST_COOLING = 10 * 60_000;
/** Until then what a refresh gave is new; later it may have been good, and was taken back. */
const JUST_REFRESHED = 60_000;
/** How long a credential rests at most that was refused, if its owner may put that right. */
export const FORGIVEN_REST = 60_000;

/**
 * The upstream said "too many" (429): rest as long as it asks, at least twice as long as the last time if
 * there was no success since, and never shorter than was already said. One burst of refusals counts once.
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
 * The upstream refused it (401, 403): services take tokens back at any age, so it is refreshed, unless that can't help
 * or it is what has just come of such a refresh.
 */
export function afterRejection(
  health: Health,
  { canRefresh, age, life }: { readonly canRefresh: boolean; readonly age: number; readonly life: number },
): Health {
  if (health.standing === "dead" || health.standing === "doubted") return health;
  const isJustRefreshed = health.rejectedBefore && age < Math.min(JUST_REFRESHED, life / 2);
  if (!canRefresh || isJustRefreshed) return afterRetirement(health);
  return { ...health, standing: "doubted", rejectedBefore: true, epoch: health.epoch + 1 };
}

/** It was refreshed: one that was doubted may prove itself, and of any other nothing was refused yet. */
export function afterRefresh(health: Health): Health {
  return health.standing === "doubted"
    ? { ...health, standing: "probing" }
    : { ...health, rejectedBefore: false };
}

/** The upstream took it, in a call that it was lent for in `epoch`: one that is probing is trusted again. */
export function afterSuccess(health: Health, epoch: number): Health {
  if (health.standing !== "probing" || epoch !== health.epoch) return health;
  return { ...FRESH, epoch };
}

/** It won't be used any more. */
export function afterRetirement(health: Health): Health {
  return { ...health, standing: "dead" };
}
