import { expect, test } from "bun:test";
import { ByteBudget } from "./byte-budget.ts";

test("what is taken is given back when it is disposed, once", () => {
  const budget = new ByteBudget(100);
  const taken = budget.take(60);
  expect(budget.take(41)).toBeUndefined();
  expect(taken?.more(40)).toBe(true);
  expect(taken?.more(1)).toBe(false);
  expect(budget.used).toBe(100);
  taken?.[Symbol.dispose]();
  taken?.[Symbol.dispose]();
  expect(budget.used).toBe(0);
});
