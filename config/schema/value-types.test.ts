import { expect, test } from "bun:test";
import fc from "fast-check";
import { formatDuration, parseDuration } from "./value-types.ts";

test.each([
  ["0s", 0],
  ["250ms", 250],
  ["30s", 30_000],
  ["10m", 600_000],
  ["24h", 86_400_000],
  ["7d", 604_800_000],
  ["1.5s", 1500],
  ["0.4ms", 0],
])("%s is %d ms", (text, milliseconds) => {
  expect(parseDuration(text)).toBe(milliseconds);
});

test.each([
  "",
  "30",
  "s",
  "-1s",
  "+1s",
  "1e3s",
  "30 s",
  "1h30m",
  ".5s",
  "1.s",
  "30S",
  "9".repeat(20) + "d",
  "1s\n",
])("%j is no duration", (text) => {
  expect(parseDuration(text)).toBeUndefined();
});

test.each([
  [0, "0ms"],
  [250, "250ms"],
  [1500, "1500ms"],
  [90_000, "90s"],
  [600_000, "10m"],
  [86_400_000, "1d"],
])("%d ms are written %s", (milliseconds, text) => {
  expect(formatDuration(milliseconds)).toBe(text);
});

test("what is written is read back", () => {
  const lengths = fc.integer({ min: 0, max: 10 ** 12 });
  fc.assert(fc.property(lengths, (length) => expect(parseDuration(formatDuration(length))).toBe(length)));
});
