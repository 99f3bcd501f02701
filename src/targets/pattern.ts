import { matchesPattern } from "../../config/pattern.ts";

/** Whether a name fits any of the patterns. */
export function matchesAny(patterns: readonly string[], name: string): boolean {
  return patterns.some((pattern) => matchesPattern(pattern, name));
}

/** True for a pattern that stands for more than one name. */
export function isPattern(text: string): boolean {
  return text.includes("*");
}
