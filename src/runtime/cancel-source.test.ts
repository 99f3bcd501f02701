import { expect, test } from "bun:test";
import { CancelSource } from "./cancel-source.ts";

test("everybody who listens is told once, and the first reason counts", () => {
  const cancellation = new CancelSource<Error>();
  const told: string[] = [];
  const forgotten = () => told.push("forgotten");
  cancellation.listen(() => told.push("one"));
  cancellation.listen(forgotten);
  cancellation.listen(() => told.push("two"));
  cancellation.forget(forgotten);
  cancellation.throwIfCancelled();
  const late = new Error("late");
  cancellation.cancel(late);
  cancellation.cancel(new Error("later"));
  expect(told).toEqual(["one", "two"]);
  expect(cancellation.reason).toBe(late);
  expect(() => cancellation.throwIfCancelled()).toThrow("late");
});

test("a signal is aborted with it, whenever it was asked for", () => {
  const cancellation = new CancelSource<Error>();
  const { signal } = cancellation;
  expect(signal.aborted).toBe(false);
  const reason = new Error("gone");
  cancellation.cancel(reason);
  expect(signal.reason).toBe(reason);
  expect(cancellation.signal).toBe(signal);
  const late = new CancelSource<Error>();
  late.cancel(reason);
  expect(late.signal.reason).toBe(reason);
});

test("who comes when it is over is told at once", () => {
  const cancellation = new CancelSource<Error>();
  cancellation.cancel(new Error("gone"));
  let told = 0;
  cancellation.listen(() => (told += 1));
  expect(told).toBe(1);
});
