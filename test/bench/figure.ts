import type { ContenderName } from "./contenders/contender.ts";
import { median } from "./statistics.ts";

export type Unit = "µs" | "ms" | "KiB" | "MiB" | "/s" | "%" | "KiB per 1,000";

/** What a figure of Modelyard's should be at most (or, for `atLeast`, at least). */
export type Target =
  | { readonly is: "times"; readonly of: ContenderName; readonly atMost: number }
  | { readonly is: "plus"; readonly of: ContenderName; readonly atMost: number }
  | { readonly is: "at most"; readonly atMost: number }
  | { readonly is: "at least"; readonly atLeast: number };

/** Values of each round, by contender. */
export type Rounds = Readonly<Partial<Record<ContenderName, readonly number[]>>>;

/** One row of the table. */
export interface Figure {
  readonly scenario: string;
  readonly name: string;
  readonly unit: Unit;
  readonly rounds: Rounds;
  readonly targets: readonly Target[];
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

/** Whether a target is met; undefined when the one it is compared with took no part. */
export function isMet(figure: Figure, target: Target): boolean | undefined {
  const own = medianOf(figure, subjectOf(figure));
  if (own === undefined) return undefined;
  if (target.is === "at most") return own <= target.atMost;
  if (target.is === "at least") return own >= target.atLeast;
  const other = medianOf(figure, target.of);
  if (other === undefined) return undefined;
  return own <= (target.is === "times" ? other * target.atMost : other + target.atMost);
}
