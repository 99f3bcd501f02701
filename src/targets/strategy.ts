import { createHash } from "node:crypto";

export const STRATEGIES = ["failover", "weighted", "least_busy", "fastest", "sticky"] as const;
export type Strategy = (typeof STRATEGIES)[number];

/** What a strategy knows of a target. */
export interface Candidate {
  /** `upstream/model`. */
  readonly name: string;
  readonly weight: number;
  /** Requests under way there. */
  readonly busy: number;
  /** Average time to the first event in ms, if one was measured. */
  readonly firstEvent: number | undefined;
}

export interface StrategyContext {
  /** Whom `sticky` keeps with one target: the request's user, or the key. */
  readonly stickyKey: string;
  /** From 0 up to 1, as Math.random. */
  readonly random: () => number;
}

/**
 * The order in which a route's targets are tried. All of them stay in it: what a strategy puts last still
 * serves when the others fail.
 */
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

/** Highest key first; equal ones as written. */
function byKey<T>(items: readonly T[], key: (item: T) => number): T[] {
  return items
    .map((item) => ({ item, key: key(item) }))
    .toSorted((a, b) => (a.key === b.key ? 0 : b.key - a.key))
    .map(({ item }) => item);
}

/**
 * A draw that is the highest of several as often as its weight's share (Efraimidis and Spirakis 2006): with
 * chance it draws, with a hash it is weighted rendezvous hashing, in which a lost target moves only its own.
 */
function weightedKey(weight: number, draw: number): number {
  return weight > 0 ? Math.log(Math.max(draw, Number.MIN_VALUE)) / weight : -Infinity;
}

/** A number from 0 up to 1 that is always the same for a text. */
function hashed(text: string): number {
  return createHash("sha256").update(text).digest().readUInt32BE(0) / 2 ** 32;
}

/**
 * Of two taken at random the quicker one first (power of two choices: no herd runs to the best), then the
 * rest as written. One that was never measured goes first, so that it will be; but only for one request, and
 * not for all that come while it keeps that one waiting.
 */
function fastest<T extends Candidate>(targets: readonly T[], random: () => number): T[] {
  const left = [...targets];
  const pick = () => left.splice(Math.floor(random() * left.length), 1);
  const pair = [...pick(), ...pick()];
  return [...byKey(pair, (target) => -expected(target)), ...left];
}

/** How long the first event will take, in ms. */
function expected({ firstEvent, busy }: Candidate): number {
  return firstEvent ?? (busy > 0 ? Infinity : -1);
}
