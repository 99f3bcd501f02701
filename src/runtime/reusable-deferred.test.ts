import { expect, test } from "bun:test";
import type { Continuation } from "./reusable-deferred.ts";
import { isPending, ReusableDeferred, subscribeOnce } from "./reusable-deferred.ts";

function heard() {
  const all: unknown[] = [];
  const onValue = (value: unknown): void => void all.push(value);
  const onError = (error: unknown): void => void all.push({ error });
  return { all, waiter: { onValue, onError } };
}

test("who waits is told at once, and once", () => {
  const later = new ReusableDeferred<string>();
  const { all, waiter } = heard();
  later.wait(waiter);
  later.resolve("a");
  expect(all).toEqual(["a"]);
  later.wait(waiter);
  later.reject("why");
  expect(all).toEqual(["a", { error: "why" }]);
});

test("what comes before anybody waits is kept for who does", async () => {
  const later = new ReusableDeferred<string>();
  const { all, waiter } = heard();
  later.resolve("a");
  later.wait(waiter);
  later.reject("why");
  later.wait(waiter);
  expect(all).toEqual(["a", { error: "why" }]);
  later.resolve("b");
  expect(await later).toBe("b");
});

test("who is told may wait again while being told", () => {
  const later = new ReusableDeferred<number>();
  const seen: number[] = [];
  const waiter: Continuation<number> = {
    onValue(value) {
      seen.push(value);
      if (seen.length < 3) later.wait(waiter);
    },
    onError: () => expect.unreachable(),
  };
  later.wait(waiter);
  for (const value of [1, 2, 3]) later.resolve(value);
  expect(seen).toEqual([1, 2, 3]);
});

test("a second waiter is refused, and the first one keeps its turn", () => {
  const later = new ReusableDeferred<string>();
  const { all, waiter } = heard();
  later.wait(waiter);
  expect(() => later.wait(heard().waiter)).toThrow("only one waiter");
  later.resolve("a");
  expect(all).toEqual(["a"]);
});

test("it can be awaited", async () => {
  const later = new ReusableDeferred<string>();
  setImmediate(() => later.resolve("a"));
  expect(await later).toBe("a");
  setImmediate(() => later.reject(new Error("broken")));
  expect(async () => await later).toThrow("broken");
  setImmediate(() => later.resolve("c"));
  expect(await later.then((text) => `${text}!`)).toBe("c!");
});

test("it and a promise are coming, nothing else is", async () => {
  const later = new ReusableDeferred<string>();
  expect(
    [later, Promise.resolve(), { done: true }, undefined].map((value) => isPending<unknown>(value)),
  ).toEqual([true, true, false, false]);
  const { all, waiter } = heard();
  const both = Promise.withResolvers<void>();
  subscribeOnce(later, waiter);
  subscribeOnce(Promise.reject(new Error("b")), {
    ...waiter,
    onError(error) {
      waiter.onError(error);
      both.resolve();
    },
  });
  later.resolve("a");
  await both.promise;
  expect(all).toEqual(["a", { error: new Error("b") }]);
});
