import { expect, test } from "bun:test";
import { TextStore } from "./text-store.ts";

const text = (size: number) => "x".repeat(size);

test("a text is its owner's alone", () => {
  const store = new TextStore({ max_size: 10_000, ttl: 1000 });
  expect(store.of("a").keep("1", "hello")).toBe(true);
  expect([store.of("a").get("1"), store.of("b").get("1")]).toEqual(["hello", undefined]);
  expect([store.of("b").delete("1"), store.of("a").delete("1"), store.of("a").delete("1")]).toEqual([
    false,
    true,
    false,
  ]);
  expect(store.size).toBe(0);
});

test("it is kept for a time after its last use", () => {
  let now = 0;
  const store = new TextStore({ max_size: 10_000, ttl: 1000 }, () => now);
  const kept = store.of("a");
  kept.keep("1", "hello");
  kept.keep("2", "world");
  now = 900;
  expect(kept.get("1")).toBe("hello");
  now = 1100;
  expect([kept.get("1"), kept.get("2")]).toEqual(["hello", undefined]);
  now = 2100;
  expect([kept.get("1"), store.size]).toEqual([undefined, 0]);
});

test("the least recently used of the owner that has most make room", () => {
  const store = new TextStore({ max_size: 5000, ttl: 1000 });
  store.of("small").keep("1", text(500));
  const large = store.of("large");
  for (const id of ["1", "2", "3"]) large.keep(id, text(1000));
  large.get("1");
  large.keep("4", text(1000));
  expect(store.of("small").get("1")).toBeDefined();
  expect(["1", "2", "3", "4"].map((id) => large.get(id) !== undefined)).toEqual([true, false, true, true]);
  expect(store.size).toBeLessThanOrEqual(5000);
});

test("what is larger than all of it isn't kept", () => {
  const store = new TextStore({ max_size: 1000, ttl: 1000 });
  store.of("a").keep("1", "hello");
  expect(store.of("a").keep("2", text(2000))).toBe(false);
  expect(store.of("a").get("1")).toBe("hello");
});
