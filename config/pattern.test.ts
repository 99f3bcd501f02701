import { expect, test } from "bun:test";
import fc from "fast-check";
import { matchesPattern } from "./pattern.ts";

test.each([
  ["*", "", true],
  ["*", "a/b", true],
  ["", "", true],
  ["", "a", false],
  ["gpt-4o", "gpt-4o", true],
  ["gpt-4o", "gpt-4o-mini", false],
  ["gpt-4o*", "gpt-4o", true],
  ["gpt-4o*", "gpt-4o-mini", true],
  ["*mini", "gpt-4o-mini", true],
  ["*mini", "mini-4o", false],
  ["a*b*c", "a-b-b-c", true],
  ["a*b*c", "a-c-b", false],
  ["**a**", "a", true],
  ["a.c", "abc", false],
  ["lang/*", "lang/x/y", true],
])("%j on %j: %p", (pattern, name, fits) => {
  expect(matchesPattern(pattern, name)).toBe(fits);
});

test("it agrees with a regular expression", () => {
  const text = fc.string({ unit: fc.constantFrom("a", "b", "*"), maxLength: 8 });
  fc.assert(
    fc.property(text, text, (pattern, name) => {
      const expression = new RegExp(`^${pattern.replaceAll("*", "[^]*")}$`);
      expect(matchesPattern(pattern, name)).toBe(expression.test(name));
    }),
  );
});

test("many stars take no long time", () => {
  const started = performance.now();
  expect(matchesPattern("a*".repeat(1000) + "b", "a".repeat(2000))).toBe(false);
  expect(performance.now() - started).toBeLessThan(2000);
});
