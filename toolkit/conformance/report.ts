import { LEVELS } from "./rules/rules.ts";
import type { Rule } from "./rules/rules.ts";

/** The outcome of a rule. `skipped`: the rule doesn't apply. */
export type RuleOutcome = "kept" | "broken" | "skipped";

/** The result of one rule. */
export interface Result {
  readonly rule: Rule;
  readonly outcome: RuleOutcome;
  /** What was observed instead (broken), the reason (skipped), or an optional remark (kept). */
  readonly detail: string | undefined;
  readonly ms: number;
}

/** The results of a plugin's test. */
export interface Report {
  readonly plugin: string;
  /** True when no rule is broken. */
  readonly passed: boolean;
  readonly results: readonly Result[];
  readonly ms: number;
}

const SIGNS: Readonly<Record<RuleOutcome, string>> = { kept: "✓", broken: "✗", skipped: "–" };

/** Formats a broken rule: what was observed, why it matters, where it is documented. */
export function messageOf({ rule, detail }: Result): string {
  return [
    `${rule.id}: ${rule.title}`,
    `  but:   ${detail}`,
    `  why:   ${rule.why}`,
    `  look:  ${rule.look}`,
  ].join("\n");
}

/** Formats a report as text: one line a rule, level by level, with the details of broken rules. */
export function reportText({ plugin, results, ms }: Report): string {
  const levels = [...new Set(results.map(({ rule }) => rule.level))];
  const blocks = levels.map((level) => {
    const own = results.filter(({ rule }) => rule.level === level);
    return [`\nLevel ${level}: ${LEVELS[level]}`, ...own.map(lineOf)].join("\n");
  });
  const count = (outcome: RuleOutcome) => results.filter((result) => result.outcome === outcome).length;
  const sum = `${count("kept")} kept, ${count("broken")} broken, ${count("skipped")} not applicable`;
  return `${plugin}${blocks.join("\n")}\n\n${sum} (${(ms / 1_000).toFixed(1)} s)`;
}

function lineOf(result: Result): string {
  const { rule, outcome, detail } = result;
  if (outcome === "broken") return `  ${SIGNS.broken} ${messageOf(result).replaceAll("\n", "\n    ")}`;
  return `  ${SIGNS[outcome]} ${rule.id}: ${rule.title}${detail === undefined ? "" : ` [${detail}]`}`;
}
