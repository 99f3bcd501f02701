import { expect, test } from "bun:test";
import { Gathering } from "./gathering.ts";

test("visits what was added, in order, behind the work of those who added it", async () => {
  const seen: string[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const gathering = new Gathering((item: string) => {
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
  const gathering = new Gathering((item: string) => {
    seen.push(item);
    if (item === "a") gathering.add("c");
    if (item === "c") resolve();
  });
  gathering.add("a");
  gathering.add("b");
  await promise;
  expect(seen).toEqual(["a", "b", "c"]);
});
