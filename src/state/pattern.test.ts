import { expect, test } from "bun:test";
import fc from "fast-check";
import { matches } from "./pattern.ts";

test.each([
  ["*", "anything/at all", true],
  ["gpt-4o", "gpt-4o", true],
  ["gpt-4o", "gpt-4o-mini", false],
  ["gpt-4o*", "gpt-4o-mini", true],
  ["*/llama*", "meta/x/llama-3", true],
  ["a*b*c", "aXbYbZc", true],
  ["a*b*c", "acb", false],
  ["", "", true],
  ["", "a", false],
  ["**", "", true],
  ["a.c", "abc", false],
])("%p fits %p: %p", (pattern, name, fits) => {
  expect(matches(pattern, name)).toBe(fits);
});

test("it says the same as a regular expression would", () => {
  const letters = fc.string({ unit: fc.constantFrom("a", "b", "/", "*"), maxLength: 8 });
  const names = fc.string({ unit: fc.constantFrom("a", "b", "/"), maxLength: 10 });
  fc.assert(
    fc.property(letters, names, (pattern, name) => {
      expect(matches(pattern, name)).toBe(new RegExp(`^${pattern.replaceAll("*", ".*")}$`).test(name));
    }),
  );
});

test("a pattern full of stars is no trap", () => {
  expect(matches("*a".repeat(120), "a".repeat(100) + "b".repeat(150))).toBe(false);
});
