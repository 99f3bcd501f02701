import { expect, test } from "bun:test";
import fc from "fast-check";
import { RetryBudget } from "./retry-budget.ts";

test("an idle gateway may retry three times in ten seconds", () => {
  const budget = new RetryBudget(0.2);
  expect([1, 2, 3, 4].map(() => budget.take(0))).toEqual([true, true, true, false]);
  expect(budget.take(11_001)).toBe(true);
});

test("a busy one may retry a fifth of its calls, and no storm comes of a dead upstream", () => {
  const budget = new RetryBudget(0.2);
  let extra = 0;
  for (let i = 0; i < 10_000; i++) {
    const now = i; // a thousand calls a second
    budget.recordCall(now);
    for (let again = 0; again < 2; again++) if (budget.take(now)) extra += 1;
  }
  expect(extra).toBeLessThanOrEqual(0.2 * 10_000 + 3);
  expect(extra).toBeGreaterThan(0.15 * 10_000);
});

test("in any ten seconds the extra calls stay within the share of the calls that the window saw", () => {
  const event = fc.record({ after: fc.nat(2_000), retry: fc.boolean() });
  fc.assert(
    fc.property(fc.array(event, { maxLength: 300 }), (events) => {
      const budget = new RetryBudget(0.2);
      const calls: number[] = [];
      const extra: number[] = [];
      let now = 0;
      for (const { after, retry } of events) {
        now += after;
        if (!retry) {
          budget.recordCall(now);
          calls.push(now);
        } else if (budget.take(now)) extra.push(now);
        // The window slides in tenths, so it may look back one tenth further.
        const within = (times: number[], ms: number) => times.filter((time) => time > now - ms).length;
        expect(within(extra, 10_000)).toBeLessThanOrEqual(Math.max(3, 0.2 * within(calls, 11_000) + 1) + 3);
      }
    }),
  );
});
