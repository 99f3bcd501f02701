import { CONTENDERS } from "./contenders/contender.ts";
import { isMet, medianOf, subjectOf } from "./figure.ts";
import type { Figure, Target } from "./figure.ts";
import type { Machine } from "./machine.ts";
import { noiseOf } from "./statistics.ts";

/** A whole run. */
export interface Run {
  readonly machine: Machine;
  /** ISO 8601. */
  readonly date: string;
  readonly rounds: number;
  /** The share of the machine's CPU time that others took during the run, 0 to 1. */
  readonly otherLoad: number;
  /** Told besides the figures. */
  readonly notes: readonly string[];
  readonly figures: readonly Figure[];
}

/** The run as Markdown: a table of medians, then what it ran on. */
export function markdown(run: Run): string {
  const columns = CONTENDERS.filter((name) => run.figures.some(({ rounds }) => rounds[name]));
  const head = ["scenario", "figure", ...columns, "÷ raw-bun", "target", "", "spread"];
  const rows = run.figures.map((figure) => [
    figure.scenario,
    `${figure.name} [${figure.unit}]`,
    ...columns.map((name) => number(medianOf(figure, name))),
    number(ratio(figure)),
    (figure.targets ?? []).map(targetText).join(", "),
    (figure.targets ?? []).map((target) => verdict(isMet(figure, target))).join(", "),
    spread(figure),
  ]);
  const rule = head.map((_, column) => (column < 2 ? "---" : "--:"));
  const table = [head, rule, ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
  return `${table}\n\n${conditions(run)}\n`;
}

/** The run as JSON, with all rounds, and what the table derives from them. */
export function json(run: Run): string {
  const figures = run.figures.map((figure) => ({
    ...figure,
    medians: Object.fromEntries(
      Object.keys(figure.rounds).map((name) => [name, medianOf(figure, name as never)]),
    ),
    ratio: ratio(figure),
    verdicts: (figure.targets ?? []).map((target) => isMet(figure, target) ?? null),
  }));
  return JSON.stringify({ ...run, figures }, null, 2);
}

function conditions({ machine, date, rounds, otherLoad, notes }: Run): string {
  const versions = Object.entries(machine.versions).map(([name, version]) => `${name} ${version}`);
  return [
    `- ${date.slice(0, 10)}, commit ${machine.commit}, medians of ${rounds} rounds`,
    `- ${machine.cores} × ${machine.cpu}, ${machine.memoryGiB} GiB, Linux ${machine.kernel}; ${versions.join(", ")}`,
    `- other processes took ${Math.round(otherLoad * 100)} % of the CPU time`,
    ...notes.map((note) => `- ${note}`),
  ].join("\n");
}

function ratio(figure: Figure): number | undefined {
  const own = medianOf(figure, subjectOf(figure));
  const raw = medianOf(figure, "raw-bun");
  return own === undefined || raw === undefined || figure.unit === "%" ? undefined : own / raw;
}

function targetText({ is, times = {}, plus }: Target): string {
  const terms = Object.entries(times).map(([name, factor]) =>
    factor === 1 ? name : `${number(factor)} × ${name}`,
  );
  if (plus !== undefined) terms.push(String(plus));
  return `${is === "at most" ? "≤" : "≥"} ${terms.join(" + ")}`;
}

function verdict(met: boolean | undefined): string {
  if (met === undefined) return "–";
  return met ? "met" : "**missed**";
}

/** How far the rounds lie apart, for the gateway and for what it is compared with. */
function spread(figure: Figure): string {
  const of = [figure.rounds[subjectOf(figure)], figure.rounds["raw-bun"]];
  return of
    .map((values) => (values && values.length > 1 ? `${Math.round(noiseOf(values) * 100)} %` : "–"))
    .join(", ");
}

/** Three figures that count. */
function number(value: number | undefined): string {
  if (value === undefined) return "";
  if (Math.abs(value) >= 1_000) return Math.round(value).toLocaleString("en");
  return String(Number(value.toPrecision(3)));
}
