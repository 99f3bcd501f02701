import { expect, test } from "bun:test";
import fc from "fast-check";
import { isNestedTooDeep, MAX_NESTING } from "../../src/json/nesting.ts";

function depthOf(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}

/** A value within so many lists and objects. */
function within(levels: number, value: unknown): unknown {
  let outer = value;
  for (let level = 0; level < levels; level++)
    outer = level % 2 === 0 ? [outer] : { "a]}\\": outer, b: "[{\\" };
  return outer;
}

test("what a text has of levels is what its value has, whatever its strings say", () => {
  const brackets = fc.string({ unit: fc.constantFrom("[", "]", "{", "}", '"', "\\", "a", "é") });
  const value = fc.jsonValue({ stringUnit: "grapheme" });
  fc.assert(
    fc.property(value, brackets, fc.integer({ min: 0, max: 4 }), (inner, text, more) => {
      const levels = MAX_NESTING - 2 + more;
      const whole = within(levels, { [text]: [inner, text] });
      expect(isNestedTooDeep(JSON.stringify(whole))).toBe(depthOf(whole) > MAX_NESTING);
    }),
    { numRuns: 300 },
  );
});

test("many values beside one another are not deep", () => {
  expect(isNestedTooDeep(JSON.stringify(Array.from({ length: 10_000 }, () => [{ a: "[[[[" }])))).toBe(false);
});

test("a text of millions of levels is refused without a look at all of it", () => {
  expect(isNestedTooDeep("[".repeat(50_000_000))).toBe(true);
  expect(isNestedTooDeep(`{"a":`.repeat(5_000_000))).toBe(true);
});

test("a string of millions of escapes takes time in proportion to its length", () => {
  const text = `[${"[],".repeat(600)}"${'\\\\\\"'.repeat(5_000_000)}"]`;
  expect(isNestedTooDeep(text)).toBe(false);
});
