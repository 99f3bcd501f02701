import { createHash } from "node:crypto";

export const STRATEGIES = ["failover", "weighted", "least_busy", "fastest", "sticky"] as const;
export type Strategy = (typeof STRATEGIES)[number];

/** A target as strategies see it. */
export interface Candidate {
  /** `upstream/model`. */
  readonly name: string;
  readonly weight: number;
  /** Requests under way there. */
  readonly busy: number;
  /** Average time to the first event in ms, if one was measured. */
  readonly firstEvent: number | undefined;
}

/** What a choice depends on beside the targets. */
export interface StrategyContext {
  /** The request's user, or its key; `sticky` keeps it with one target. */
  readonly stickyKey: string;
  /** Returns a number from 0 up to 1, as `Math.random`. */
  readonly random: () => number;
}

/** Returns all targets in the order in which they are tried. */
export function orderTargets<T extends Candidate>(
  strategy: Strategy,
  targets: readonly T[],
  choosing: StrategyContext,
): T[] {
  switch (strategy) {
    case "failover":
      return [...targets];
    case "weighted":
      return byKey(targets, ({ weight }) => weightedKey(weight, choosing.random()));
    case "least_busy":
      return byKey(targets, ({ busy, weight }) => (weight > 0 ? -busy / weight : -Infinity));
    case "fastest":
      return fastest(targets, choosing.random);
    case "sticky":
      return byKey(targets, ({ name, weight }) =>
        weightedKey(weight, hashed(`${choosing.stickyKey}\n${name}`)),
      );
  }
}

/** Sorts by descending key; equal keys keep their order. */
function byKey<T>(items: readonly T[], key: (item: T) => number): T[] {
  return items
    .map((item) => ({ item, key: key(item) }))
    .toSorted((a, b) => (a.key === b.key ? 0 : b.key - a.key))
    .map(({ item }) => item);
}

/**
 * Returns a key that is the highest of several with the probability of its weight's share (Efraimidis and Spirakis 2006).
 * With a hash as the draw it is weighted rendezvous hashing: a lost target moves only its own users.
 */
function weightedKey(weight: number, draw: number): number {
  return weight > 0 ? Math.log(Math.max(draw, Number.MIN_VALUE)) / weight : -Infinity;
}

/** Hashes a text to a number from 0 up to 1. */
function hashed(text: string): number {
  return createHash("sha256").update(text).digest().readUInt32BE(0) / 2 ** 32;
}

/**
 * Puts the quicker of two random targets first (power of two choices, against herding), then the rest as written. An
 * unmeasured target goes first while it is idle, so that one request measures it.
 */
function fastest<T extends Candidate>(targets: readonly T[], random: () => number): T[] {
  const left = [...targets];
  const pick = () => left.splice(Math.floor(random() * left.length), 1);
  const pair = [...pick(), ...pick()];
  return [...byKey(pair, (target) => -expected(target)), ...left];
}

/** Returns the expected time to the first event, in ms. */
function expected({ firstEvent, busy }: Candidate): number {
  return firstEvent ?? (busy > 0 ? Infinity : -1);
}
