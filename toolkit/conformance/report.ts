import { LEVELS } from "./rules/rules.ts";
import type { Rule } from "./rules/rules.ts";

/** `kept`, `broken`, or `skipped` because it doesn't apply. */
export type RuleOutcome = "kept" | "broken" | "skipped";

/** What one rule came to. */
export interface Result {
  readonly rule: Rule;
  readonly outcome: RuleOutcome;
  /** Broken: what was seen instead. Skipped: why. Kept: what is worth knowing, if anything. */
  readonly detail: string | undefined;
  readonly ms: number;
}

/** What a plugin's test came to. */
export interface Report {
  readonly plugin: string;
  /** True when no rule is broken. */
  readonly passed: boolean;
  readonly results: readonly Result[];
  readonly ms: number;
}

const SIGNS: Readonly<Record<RuleOutcome, string>> = { kept: "✓", broken: "✗", skipped: "–" };

/** What was broken, why it matters, and where to look. */
export function messageOf({ rule, detail }: Result): string {
  return [
    `${rule.id}: ${rule.title}`,
    `  but:   ${detail}`,
    `  why:   ${rule.why}`,
    `  look:  ${rule.look}`,
  ].join("\n");
}

/** A report for people: each rule on a line, level by level, and of the broken ones what, why and where. */
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
