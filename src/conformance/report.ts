import type { Rule } from "./rules.ts";

/** `kept`, `broken`, or `skipped` because it doesn't apply. */
export type Outcome = "kept" | "broken" | "skipped";

/** What one rule came to. */
export interface Result {
  readonly rule: Rule;
  readonly outcome: Outcome;
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
