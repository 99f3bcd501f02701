import { expect, test } from "bun:test";
import type { BudgetSettings } from "../../config/settings.ts";
import type { BudgetRefusal, Cost, BudgetHold } from "./budgets.ts";
import { Budgets } from "./budgets.ts";

const NOON = Date.parse("2026-11-24T12:00:00Z");
const MIDNIGHT = Date.parse("2026-11-25");
const HALF_DAY = MIDNIGHT - NOON;

function setUp(past: Cost = { usd: 0, tokens: 0 }) {
  const clock = { now: NOON };
  const asked: [string, number][] = [];
  const warnings: [string, number][] = [];
  const ledger = { past };
  const budgets = new Budgets({
    now: () => clock.now,
    spentSince(key, since) {
      asked.push([key, since]);
      return ledger.past;
    },
    warn: (key, _, share) => warnings.push([key, share]),
  });
  return { budgets, clock, asked, warnings, ledger };
}

function held(answer: BudgetHold | BudgetRefusal): BudgetHold {
  if ("budget" in answer) throw new Error(`refused: ${JSON.stringify(answer)}`);
  return answer;
}

const DOLLARS: BudgetSettings = { usd: 1, per: "day" };
const TOKENS: BudgetSettings = { tokens: 1_000, per: "day" };

test("a budget that is spent refuses until its period ends, and is whole again in the next", () => {
  const { budgets, clock, ledger } = setUp();
  held(budgets.hold("a", DOLLARS, { usd: 0.1, tokens: 0 })).settle({ usd: 1, tokens: 70 });
  expect(budgets.hold("a", DOLLARS, { usd: 0, tokens: 0 })).toEqual({
    budget: "usd",
    of: 1,
    per: "day",
    retryAfterMs: HALF_DAY,
    held: false,
  });
  clock.now = MIDNIGHT - 1;
  expect(budgets.hold("a", DOLLARS, { usd: 0, tokens: 0 })).toMatchObject({ retryAfterMs: 1 });
  clock.now = MIDNIGHT;
  ledger.past = { usd: 0, tokens: 0 };
  held(budgets.hold("a", DOLLARS, { usd: 0, tokens: 0 }));
});

test("what is only held is told apart from what is spent, and comes back when less was spent", () => {
  const { budgets } = setUp();
  const hold = held(budgets.hold("a", TOKENS, { usd: 0, tokens: 5_000 }));
  expect(budgets.hold("a", TOKENS, { usd: 0, tokens: 1 })).toEqual({
    budget: "tokens",
    of: 1_000,
    per: "day",
    retryAfterMs: 1_000,
    held: true,
  });
  hold.settle({ usd: 0, tokens: 999 });
  hold.settle({ usd: 0, tokens: 999 });
  held(budgets.hold("a", TOKENS, { usd: 0, tokens: 1 })).settle({ usd: 0, tokens: 1 });
  expect(budgets.hold("a", TOKENS, { usd: 0, tokens: 1 })).toMatchObject({ held: false });
});

test("of dollars and tokens, what is spent is told rather than what is held", () => {
  const { budgets } = setUp({ usd: 0, tokens: 1_000 });
  const both: BudgetSettings = { usd: 1, tokens: 2_000, per: "day" };
  held(budgets.hold("a", both, { usd: 5, tokens: 0 }));
  expect(budgets.hold("a", both, { usd: 0, tokens: 0 })).toMatchObject({ budget: "usd", held: true });
  expect(budgets.hold("a", { ...both, tokens: 1_000 }, { usd: 0, tokens: 0 })).toMatchObject({
    budget: "tokens",
    of: 1_000,
    held: false,
  });
});

test("the ledger is asked once for each key and period, and what it says counts", () => {
  const { budgets, clock, asked } = setUp({ usd: 0.75, tokens: 10 });
  for (let i = 0; i < 3; i++)
    held(budgets.hold("a", DOLLARS, { usd: 0, tokens: 0 })).settle({ usd: 0, tokens: 5 });
  expect(budgets.standing("a", DOLLARS)).toEqual({
    spent: { usd: 0.75, tokens: 25 },
    limit: DOLLARS,
    periodStart: Date.parse("2026-11-24"),
    periodEnd: MIDNIGHT,
  });
  held(budgets.hold("b", DOLLARS, { usd: 0, tokens: 0 }));
  clock.now = MIDNIGHT;
  held(budgets.hold("a", DOLLARS, { usd: 0, tokens: 0 }));
  expect(asked).toEqual([
    ["a", Date.parse("2026-11-24")],
    ["b", Date.parse("2026-11-24")],
    ["a", MIDNIGHT],
  ]);
});

test("an answer that is settled in the next period counts there", () => {
  const { budgets, clock } = setUp();
  const hold = held(budgets.hold("a", DOLLARS, { usd: 0.5, tokens: 0 }));
  clock.now = MIDNIGHT + 1;
  expect(budgets.hold("a", DOLLARS, { usd: 0.6, tokens: 0 })).not.toHaveProperty("budget");
  expect(budgets.hold("a", DOLLARS, { usd: 0, tokens: 0 })).toMatchObject({ held: true });
  hold.settle({ usd: 0.4, tokens: 0 });
  expect(budgets.standing("a", DOLLARS)).toMatchObject({ spent: { usd: 0.4 }, periodStart: MIDNIGHT });
});

test("another budget for the same key applies at once, also by another calendar", () => {
  const { budgets, asked } = setUp({ usd: 0.9, tokens: 0 });
  held(budgets.hold("a", DOLLARS, { usd: 0, tokens: 0 }));
  expect(budgets.hold("a", { usd: 0.9, per: "day" }, { usd: 0, tokens: 0 })).toMatchObject({ of: 0.9 });
  held(budgets.hold("a", { usd: 1, per: "month" }, { usd: 0, tokens: 0 }));
  expect(asked.map(([, since]) => since)).toEqual([Date.parse("2026-11-24"), Date.parse("2026-11-01")]);
});

test("four fifths spent are warned of once a period, also when a restart finds them so", () => {
  const { budgets, clock, warnings } = setUp();
  const spend = (usd: number) =>
    held(budgets.hold("a", DOLLARS, { usd: 0, tokens: 0 })).settle({ usd, tokens: 0 });
  spend(0.75);
  expect(warnings).toEqual([]);
  spend(0.125);
  spend(0.0625);
  expect(warnings).toEqual([["a", 0.875]]);
  clock.now = MIDNIGHT;
  spend(0.875);
  expect(warnings).toEqual([
    ["a", 0.875],
    ["a", 0.875],
  ]);
  const restarted = setUp({ usd: 0.9, tokens: 0 });
  held(restarted.budgets.hold("a", DOLLARS, { usd: 0, tokens: 0 })).settle({ usd: 0, tokens: 0 });
  expect(restarted.warnings).toEqual([["a", 0.9]]);
});

test("many small dollars held and let go leave nothing held", () => {
  const { budgets } = setUp();
  const cents = { usd: 0.1, tokens: 0 };
  const holds = Array.from({ length: 9 }, () => held(budgets.hold("a", DOLLARS, cents)));
  for (const hold of holds) hold.settle({ usd: 0, tokens: 0 });
  held(budgets.hold("a", DOLLARS, { usd: 1, tokens: 0 }));
});

test.each([Infinity, -Infinity, Number.NaN])("%p is neither held nor spent", (amount) => {
  const { budgets } = setUp();
  const budget: BudgetSettings = { usd: 1, tokens: 1_000, per: "day" };
  for (const cost of [
    { usd: amount, tokens: 0 },
    { usd: 0, tokens: amount },
  ]) {
    expect(() => budgets.hold("a", budget, cost)).toThrow(RangeError);
    const hold = held(budgets.hold("a", budget, { usd: 0.25, tokens: 1 }));
    expect(() => hold.settle(cost)).toThrow(RangeError);
  }
  expect(budgets.standing("a", budget).spent).toEqual({ usd: 0, tokens: 0 });
  // What was held when the settlement failed is free again.
  held(budgets.hold("a", budget, { usd: 0.5, tokens: 500 }));
  held(budgets.hold("a", budget, { usd: 0.5, tokens: 500 }));
  expect(budgets.hold("a", budget, { usd: 0, tokens: 0 })).toMatchObject({ held: true });
});
