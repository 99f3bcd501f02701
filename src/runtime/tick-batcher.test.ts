import { expect, test } from "bun:test";
import { TickBatcher } from "./tick-batcher.ts";

test("visits what was added, in order, behind the work of those who added it", async () => {
  const seen: string[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const gathering = new TickBatcher((item: string) => {
    seen.push(item);
    if (item === "b") resolve();
  });
  gathering.add("a");
  gathering.add("b");
  await Promise.resolve();
  seen.push("rest of this turn");
  await promise;
  expect(seen).toEqual(["rest of this turn", "a", "b"]);
});

test("visits what is added by a visit once the others had their turn", async () => {
  const seen: string[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const gathering = new TickBatcher((item: string) => {
    seen.push(item);
    if (item === "a") gathering.add("c");
    if (item === "c") resolve();
  });
  gathering.add("a");
  gathering.add("b");
  await promise;
  expect(seen).toEqual(["a", "b", "c"]);
});

test("leaves time to others when there is much to be done", async () => {
  const seen: string[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const gathering = new TickBatcher((item: number) => {
    const end = performance.now() + 1;
    while (performance.now() < end);
    seen.push(String(item));
    if (item === 49) resolve();
  });
  for (let item = 0; item < 50; item++) gathering.add(item);
  setImmediate(() => seen.push("another's turn"));
  await promise;
  const numbers = seen.filter((each) => each !== "another's turn");
  expect(numbers).toEqual(Array.from({ length: 50 }, (_, item) => String(item)));
  expect(seen.indexOf("another's turn")).toBeLessThan(20);
});

test("visits no more in one turn than it may, and those that are left in order", async () => {
  const seen: string[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const gathering = new TickBatcher((item: number) => {
    seen.push(String(item));
    if (item === 4) resolve();
  }, 2);
  for (let item = 0; item < 5; item++) gathering.add(item);
  setImmediate(() => seen.push("another's turn"));
  await promise;
  expect(seen).toEqual(["0", "1", "another's turn", "2", "3", "4"]);
});
