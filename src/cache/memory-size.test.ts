import { expect, test } from "bun:test";
import { memorySize } from "./memory-size.ts";

test("grows with what is in a value", () => {
  expect(memorySize("x".repeat(1_000))).toBeGreaterThan(1_000);
  expect(memorySize({ text: "x".repeat(1_000) })).toBeGreaterThan(memorySize("x".repeat(1_000)));
  expect(memorySize([["a"], ["b"]])).toBeGreaterThan(memorySize(["a", "b"]));
  expect(memorySize("€")).toBe(memorySize("abc"));
});

test("takes what is neither text nor object for nothing", () => {
  expect([null, undefined, 3, true].map((value) => memorySize(value))).toEqual([0, 0, 0, 0]);
});
