import { expect, test } from "bun:test";
import { nearestName, nearestNames } from "./nearest.ts";

const keys = ["host", "port", "cors_origins", "max_body", "max_bodies", "early_headers", "drain"];

test.each([
  ["prot", "port"],
  ["hots", "host"],
  ["Port", "port"],
  ["max_size", undefined],
  ["maxbody", "max_body"],
  ["max_bodys", "max_body"],
  ["cors", "cors_origins"],
  ["limits", undefined],
  ["x", undefined],
  ["", undefined],
  ["p".repeat(1000), undefined],
])("%s was meant to be %s", (name, meant) => {
  expect(nearestName(name, keys)).toBe(meant);
});

test("the likeliest come first, equals in the order given, none twice", () => {
  const models = ["gpt-4o", "gpt-4o-mini", "gpt-4.1", "o3", "claude-sonnet", "gpt-4o"];
  expect(nearestNames("gpt-4o-mni", models, 3)).toEqual(["gpt-4o-mini", "gpt-4o", "gpt-4.1"].slice(0, 2));
  expect(nearestNames("gpt-4", models, 2)).toEqual(["gpt-4o", "gpt-4.1"]);
  expect(nearestNames("zzzzzz", models, 3)).toEqual([]);
});

test("a long name and many candidates take no long time", () => {
  const many = Array.from({ length: 2000 }, (_, index) => `${"m".repeat(90)}${index}`);
  const started = performance.now();
  nearestNames("n".repeat(100), many, 3);
  nearestNames("n".repeat(1_000_000), many, 3);
  expect(performance.now() - started).toBeLessThan(5000);
});
