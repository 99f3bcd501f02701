import type { ContenderName } from "./contenders/contender.ts";
import { median } from "./statistics.ts";

export type Unit = "µs" | "ms" | "KiB" | "MiB" | "/s" | "%" | "KiB per 1,000";

/** What the gateway's own figure should be, at most or at least: so many times others', and so much more. */
export interface Target {
  readonly is: "at most" | "at least";
  readonly times?: Readonly<Partial<Record<ContenderName, number>>>;
  readonly plus?: number;
}

/** Values of each round, by contender. */
export type Rounds = Readonly<Partial<Record<ContenderName, readonly number[]>>>;

/** One row of the table. */
export interface Figure {
  readonly scenario: string;
  readonly name: string;
  readonly unit: Unit;
  readonly rounds: Rounds;
  readonly targets?: readonly Target[];
}

/** The row that says how many of the answers were complete and exact. */
export function exactness(scenario: string, rounds: Rounds): Figure {
  return {
    scenario,
    name: "complete and exact",
    unit: "%",
    rounds,
    targets: [{ is: "at least", plus: 100 }],
  };
}

/** A contender's median; undefined when it took no part. */
export function medianOf({ rounds }: Figure, name: ContenderName): number | undefined {
  const values = rounds[name];
  return values && values.length > 0 ? median(values) : undefined;
}

/** Whose figure counts: the gateway's, or that of its cache. */
export function subjectOf({ rounds }: Figure): ContenderName {
  return rounds.modelyard ? "modelyard" : "modelyard-hit";
}

/** What a target comes to; undefined when one it is made of took no part. */
export function limitOf(figure: Figure, { times = {}, plus = 0 }: Target): number | undefined {
  let limit = plus;
  for (const [name, factor] of Object.entries(times)) {
    const other = medianOf(figure, name as ContenderName);
    if (other === undefined) return undefined;
    limit += factor * other;
  }
  return limit;
}

/** Whether a target is met; undefined when it can't be told. */
export function isMet(figure: Figure, target: Target): boolean | undefined {
  const own = medianOf(figure, subjectOf(figure));
  const limit = limitOf(figure, target);
  if (own === undefined || limit === undefined) return undefined;
  return target.is === "at most" ? own <= limit : own >= limit;
}
