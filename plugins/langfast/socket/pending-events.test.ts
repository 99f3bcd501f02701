import { expect, test } from "bun:test";
import { FakeClock } from "../../../test/support/fake-clock.ts";
import { PendingEvents } from "./pending-events.ts";

const limits = { age: 100, executions: 1, units: 10 };

test("events of one execution fold into one", () => {
  const held = new PendingEvents(new FakeClock(), limits);
  held.add("x", { id: "x", content: "a" }, 1);
  held.add("y", { id: "y", content: "b" }, 1);
  held.add("x", { id: "x", content: "ab", end: "completed" }, 1);
  expect(held.first()).toBe("x");
  expect(held.take("x")).toEqual({ id: "x", content: "ab", end: "completed" });
  expect(held.take("x")).toBeUndefined();
});

test("the oldest make room when they are too many", () => {
  const held = new PendingEvents(new FakeClock(), limits);
  expect(held.add("x", {}, 1)).toBe(0);
  expect(held.add("y", {}, 1)).toBe(0);
  expect(held.add("z", {}, 1)).toBe(1);
  expect(held.first()).toBe("y");
});

test("the oldest make room when they are too long, and when they are too old", async () => {
  const clock = new FakeClock();
  const held = new PendingEvents(clock, limits);
  held.add("x", { content: "12345678" }, 1);
  expect(held.add("y", { content: "123" }, 1)).toBe(1);
  expect(held.add("y", { content: "1234567890" }, 1)).toBe(0);
  await clock.advance(101);
  expect(held.add("z", {}, 1)).toBe(1);
  expect(held.clear()).toBe(1);
});
