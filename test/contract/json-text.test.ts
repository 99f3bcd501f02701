import { expect, test } from "bun:test";
import fc from "fast-check";
import { stringifyJson } from "../../src/json/json-text.ts";

test.each([
  ["cut \ud83d", '"cut \ufffd"'],
  ["\udc00 x", '"\ufffd x"'],
  ["\ud83d\ude00 \\ud83d \\\ud83d", '"\ud83d\ude00 \\\\ud83d \\\\\ufffd"'],
  [{ "\ud800": ["\udfff", 1] }, '{"\ufffd":["\ufffd",1]}'],
])("halves of pairs become U+FFFD: %j", (value, text) => {
  expect(stringifyJson(value)).toBe(text);
});

test("a text is what the engine makes of it once it is well formed", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom("\ud83d", "\ude00", "\\", "u", "d83d", '"', "a") }),
      (text) => {
        expect(stringifyJson(text)).toBe(JSON.stringify(text.toWellFormed()));
      },
    ),
    { numRuns: 2_000 },
  );
});
