import { expect, test } from "bun:test";
import { ByteBudget } from "./byte-budget.ts";

test("what is taken is given back when it is disposed, once", () => {
  const budget = new ByteBudget(100);
  const taken = budget.reserve(60);
  expect(budget.reserve(41)).toBeUndefined();
  expect(taken?.extend(40)).toBe(true);
  expect(taken?.extend(1)).toBe(false);
  expect(budget.used).toBe(100);
  taken?.[Symbol.dispose]();
  taken?.[Symbol.dispose]();
  expect(budget.used).toBe(0);
});
