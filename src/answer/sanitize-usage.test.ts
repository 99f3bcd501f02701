import { expect, test } from "bun:test";
import type { Usage } from "../contract/index.ts";
import { sanitizeUsage } from "./sanitize-usage.ts";

test("what is sound goes on as it is", () => {
  const sound: Usage[] = [
    {},
    { input: 0, output: 0 },
    {
      input: 12,
      cachedInput: 8,
      cacheWrite: 4,
      output: 5,
      reasoning: 5,
      raw: { prompt_tokens: 12 },
    },
    // Nothing is known of the whole.
    { cachedInput: 8, reasoning: 3 },
  ];
  for (const usage of sound) expect(sanitizeUsage(usage)).toBe(usage);
});

test.each([NaN, Infinity, -5, 0.5, 1e300, "12", null, {}, true])("a count of %p is unknown", (count) => {
  const usage = { input: count, output: 3, raw: { prompt_tokens: 7 } } as unknown as Usage;
  expect(sanitizeUsage(usage)).toEqual({ output: 3 });
});

test("an upstream's own object that is none is left out", () => {
  expect(sanitizeUsage({ input: 1, output: 3, raw: "12" } as unknown as Usage)).toEqual({
    input: 1,
    output: 3,
  });
});

test("a part is not more than the whole", () => {
  expect(sanitizeUsage({ input: 10, cachedInput: 8, cacheWrite: 4, output: 5, reasoning: 6 })).toEqual({
    input: 10,
    cachedInput: 8,
    cacheWrite: 2,
    output: 5,
    reasoning: 5,
  });
  expect(sanitizeUsage({ input: 10, cachedInput: 12, cacheWrite: 4 })).toEqual({
    input: 10,
    cachedInput: 10,
    cacheWrite: 0,
  });
});
