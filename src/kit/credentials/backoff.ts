import { UpstreamError } from "../../contract/index.ts";
import { onOneLine } from "../json/values.ts";

/** How often something has failed in a row, and when it may be tried again (milliseconds since 1970). */
export interface Backoff {
  readonly failures: number;
  readonly until: number;
}

/** Nothing has failed. */
export const NO_BACKOFF: Backoff = { failures: 0, until: 0 };

const FIRST = 1000;
const LONGEST = 10 * 60_000;
// However soon a token ends, a service that is down isn't asked more often than this.
const SHORTEST_CEILING = 10_000;
// Full jitter may draw nothing at all; this keeps a failure from being repeated in the same moment.
const SHORTEST = 100;

/**
 * The back-off after one more failure: anything up to 1 s at first, twice that each time, up to 10 min or `longest` at
 * most (full jitter), and never before the moment that the upstream has named.
 */
export function backOff(
  before: Backoff,
  error: unknown,
  chance: { readonly now: number; readonly random: () => number; readonly longest?: number },
): Backoff {
  const longest = Math.max(SHORTEST_CEILING, Math.min(LONGEST, chance.longest ?? LONGEST));
  const ceiling = Math.min(longest, FIRST * 2 ** before.failures);
  const wait = Math.max(SHORTEST, chance.random() * ceiling, retryAfter(error) ?? 0);
  return { failures: before.failures + 1, until: chance.now + wait };
}

/** When the upstream wants to be asked again, in milliseconds from now, if it has said so. */
export function retryAfter(error: unknown): number | undefined {
  const wait = UpstreamError.is(error) ? error.retryAfterMs : undefined;
  return wait !== undefined && Number.isFinite(wait) && wait > 0 ? wait : undefined;
}

/** True for errors that say that the credential itself is no good, and won't be. */
export function provesInvalid(error: unknown): boolean {
  return UpstreamError.is(error) && (error.code === "rejected" || error.code === "bad-request");
}

/** An error in words, for logs and status. */
export function messageOf(error: unknown): string {
  return onOneLine(error instanceof Error ? error.message : String(error));
}
