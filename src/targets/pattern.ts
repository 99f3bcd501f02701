import { matchesPattern } from "../../config/pattern.ts";

/** Returns whether a name matches any of the patterns. */
export function matchesAny(patterns: readonly string[], name: string): boolean {
  return patterns.some((pattern) => matchesPattern(pattern, name));
}

/** Returns whether a text is a pattern for several names. */
export function isPattern(text: string): boolean {
  return text.includes("*");
}
