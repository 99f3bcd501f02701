import type { Json, JsonObject } from "../../contract/index.ts";
import { messageOf } from "./backoff.ts";
import { shortId, stateOf, STATES } from "./entry.ts";
import type { Entry } from "./entry.ts";

/** What a pool's status is made of. */
export interface Snapshot {
  readonly entries: readonly Entry<Json>[];
  readonly making: boolean;
  readonly waiting: number;
  readonly problem: unknown;
  /** How many were retired since the pool was built. */
  readonly retired: { readonly configured: number; readonly made: number };
  readonly now: number;
}

/** A pool as people should see it: counts by state, then each credential. No secrets. */
export function statusOf({ entries, making, waiting, problem, retired, now }: Snapshot): JsonObject {
  const states: Record<string, number> = Object.fromEntries(STATES.map((state) => [state, 0]));
  for (const entry of entries) {
    const state = stateOf(entry, now);
    states[state] = (states[state] ?? 0) + 1;
  }
  return {
    states: { ...states, making: making ? 1 : 0 },
    retired: { ...retired },
    waiting,
    ...(problem === undefined ? {} : { error: messageOf(problem) }),
    credentials: entries.map((entry) => describeEntry(entry, now)),
  };
}

function describeEntry(entry: Entry<Json>, now: number): JsonObject {
  const state = stateOf(entry, now);
  const until = untilOf(entry, state);
  return {
    id: shortId(entry.id),
    state,
    leases: entry.loans.size,
    ...(until === undefined ? {} : { until: new Date(until).toISOString() }),
    ...(entry.problem === undefined ? {} : { error: entry.problem }),
  };
}

/** The end of its rest, or of its life. */
function untilOf(entry: Entry<Json>, state: string): number | undefined {
  if (state === "cooling") return entry.health.coolUntil;
  return state === "dead" || entry.expiresAt === Infinity ? undefined : entry.expiresAt;
}
