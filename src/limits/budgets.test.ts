import { expect, test } from "bun:test";
import type { BudgetSettings } from "../../config/settings.ts";
import type { BudgetRefusal, Cost, BudgetHold } from "./budgets.ts";
import { rejection } from "../../test/support/rejection.ts";
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
    async spentSince(key, since) {
      asked.push([key, since]);
      return ledger.past;
    },
    onThreshold: (key, _, share) => warnings.push([key, share]),
  });
  /** What the budgets say once they know what was spent. */
  const ask = async (...request: Parameters<Budgets["hold"]>): Promise<BudgetHold | BudgetRefusal> => {
    const answer = budgets.hold(...request);
    if (!(answer instanceof Promise)) return answer;
    await answer;
    return await ask(...request);
  };
  return { budgets, ask, clock, asked, warnings, ledger };
}

function held(answer: BudgetHold | BudgetRefusal): BudgetHold {
  if ("budget" in answer) throw new Error(`refused: ${JSON.stringify(answer)}`);
  return answer;
}

const DOLLARS: BudgetSettings = { usd: 1, per: "day" };
const TOKENS: BudgetSettings = { tokens: 1_000, per: "day" };

test("a budget that is spent refuses until its period ends, and is whole again in the next", async () => {
  const { ask, clock, ledger } = setUp();
  held(await ask("a", DOLLARS, { usd: 0.1, tokens: 0 })).settle({ usd: 1, tokens: 70 });
  expect(await ask("a", DOLLARS, { usd: 0, tokens: 0 })).toEqual({
    budget: "usd",
    of: 1,
    per: "day",
    retryAfterMs: HALF_DAY,
    held: false,
  });
  clock.now = MIDNIGHT - 1;
  expect(await ask("a", DOLLARS, { usd: 0, tokens: 0 })).toMatchObject({ retryAfterMs: 1 });
  clock.now = MIDNIGHT;
  ledger.past = { usd: 0, tokens: 0 };
  held(await ask("a", DOLLARS, { usd: 0, tokens: 0 }));
});

test("what is only held is told apart from what is spent, and comes back when less was spent", async () => {
  const { ask } = setUp();
  const hold = held(await ask("a", TOKENS, { usd: 0, tokens: 5_000 }));
  expect(await ask("a", TOKENS, { usd: 0, tokens: 1 })).toEqual({
    budget: "tokens",
    of: 1_000,
    per: "day",
    retryAfterMs: 1_000,
    held: true,
  });
  hold.settle({ usd: 0, tokens: 999 });
  hold.settle({ usd: 0, tokens: 999 });
  held(await ask("a", TOKENS, { usd: 0, tokens: 1 })).settle({ usd: 0, tokens: 1 });
  expect(await ask("a", TOKENS, { usd: 0, tokens: 1 })).toMatchObject({ held: false });
});

test("of dollars and tokens, what is spent is told rather than what is held", async () => {
  const { ask } = setUp({ usd: 0, tokens: 1_000 });
  const both: BudgetSettings = { usd: 1, tokens: 2_000, per: "day" };
  held(await ask("a", both, { usd: 5, tokens: 0 }));
  expect(await ask("a", both, { usd: 0, tokens: 0 })).toMatchObject({ budget: "usd", held: true });
  expect(await ask("a", { ...both, tokens: 1_000 }, { usd: 0, tokens: 0 })).toMatchObject({
    budget: "tokens",
    of: 1_000,
    held: false,
  });
});

test("the ledger is asked once for each key and period, and what it says counts", async () => {
  const { ask, budgets, clock, asked } = setUp({ usd: 0.75, tokens: 10 });
  for (let i = 0; i < 3; i++)
    held(await ask("a", DOLLARS, { usd: 0, tokens: 0 })).settle({ usd: 0, tokens: 5 });
  expect(budgets.standing("a", DOLLARS)).toEqual({
    spent: { usd: 0.75, tokens: 25 },
    limit: DOLLARS,
    periodStart: Date.parse("2026-11-24"),
    periodEnd: MIDNIGHT,
  });
  held(await ask("b", DOLLARS, { usd: 0, tokens: 0 }));
  clock.now = MIDNIGHT;
  held(await ask("a", DOLLARS, { usd: 0, tokens: 0 }));
  expect(asked).toEqual([
    ["a", Date.parse("2026-11-24")],
    ["b", Date.parse("2026-11-24")],
    ["a", MIDNIGHT],
  ]);
});

test("an answer that is settled in the next period counts there", async () => {
  const { ask, budgets, clock } = setUp();
  const hold = held(await ask("a", DOLLARS, { usd: 0.5, tokens: 0 }));
  clock.now = MIDNIGHT + 1;
  expect(await ask("a", DOLLARS, { usd: 0.6, tokens: 0 })).not.toHaveProperty("budget");
  expect(await ask("a", DOLLARS, { usd: 0, tokens: 0 })).toMatchObject({ held: true });
  hold.settle({ usd: 0.4, tokens: 0 });
  expect(budgets.standing("a", DOLLARS)).toMatchObject({ spent: { usd: 0.4 }, periodStart: MIDNIGHT });
});

test("another budget for the same key applies at once, also by another calendar", async () => {
  const { ask, asked } = setUp({ usd: 0.9, tokens: 0 });
  held(await ask("a", DOLLARS, { usd: 0, tokens: 0 }));
  expect(await ask("a", { usd: 0.9, per: "day" }, { usd: 0, tokens: 0 })).toMatchObject({ of: 0.9 });
  held(await ask("a", { usd: 1, per: "month" }, { usd: 0, tokens: 0 }));
  expect(asked.map(([, since]) => since)).toEqual([Date.parse("2026-11-24"), Date.parse("2026-11-01")]);
});

test("four fifths spent are warned of once a period, also when a restart finds them so", async () => {
  const { ask, clock, warnings } = setUp();
  const spend = async (usd: number) =>
    held(await ask("a", DOLLARS, { usd: 0, tokens: 0 })).settle({ usd, tokens: 0 });
  await spend(0.75);
  expect(warnings).toEqual([]);
  await spend(0.125);
  await spend(0.0625);
  expect(warnings).toEqual([["a", 0.875]]);
  clock.now = MIDNIGHT;
  await spend(0.875);
  expect(warnings).toEqual([
    ["a", 0.875],
    ["a", 0.875],
  ]);
  const restarted = setUp({ usd: 0.9, tokens: 0 });
  held(await restarted.ask("a", DOLLARS, { usd: 0, tokens: 0 })).settle({ usd: 0, tokens: 0 });
  expect(restarted.warnings).toEqual([["a", 0.9]]);
});

test("many small dollars held and let go leave nothing held", async () => {
  const { ask } = setUp();
  const cents = { usd: 0.1, tokens: 0 };
  const holds = await Promise.all(
    Array.from({ length: 9 }, async () => held(await ask("a", DOLLARS, cents))),
  );
  for (const hold of holds) hold.settle({ usd: 0, tokens: 0 });
  held(await ask("a", DOLLARS, { usd: 1, tokens: 0 }));
});

test.each([Infinity, -Infinity, Number.NaN])("%p is neither held nor spent", async (amount) => {
  const { ask, budgets } = setUp();
  const budget: BudgetSettings = { usd: 1, tokens: 1_000, per: "day" };
  for (const cost of [
    { usd: amount, tokens: 0 },
    { usd: 0, tokens: amount },
  ]) {
    await rejection(ask("a", budget, cost), RangeError);
    const hold = held(await ask("a", budget, { usd: 0.25, tokens: 1 }));
    expect(() => hold.settle(cost)).toThrow(RangeError);
  }
  expect(budgets.standing("a", budget).spent).toEqual({ usd: 0, tokens: 0 });
  // What was held when the settlement failed is free again.
  held(await ask("a", budget, { usd: 0.5, tokens: 500 }));
  held(await ask("a", budget, { usd: 0.5, tokens: 500 }));
  expect(await ask("a", budget, { usd: 0, tokens: 0 })).toMatchObject({ held: true });
});

test("a ledger that can't be read refuses nobody for good: the next request asks it again", async () => {
  let isBroken = true;
  const budgets = new Budgets({
    now: () => NOON,
    spentSince: () =>
      isBroken ? Promise.reject(new RangeError("broken")) : Promise.resolve({ usd: 2, tokens: 0 }),
    onThreshold: () => undefined,
  });
  const first = budgets.hold("a", DOLLARS, { usd: 0, tokens: 0 });
  expect(budgets.hold("a", DOLLARS, { usd: 0, tokens: 0 })).toBe(first);
  await rejection(Promise.resolve(first), RangeError);
  isBroken = false;
  await budgets.hold("a", DOLLARS, { usd: 0, tokens: 0 });
  expect(budgets.hold("a", DOLLARS, { usd: 0, tokens: 0 })).toMatchObject({ budget: "usd", held: false });
});

test("what was read of a period that has ended meanwhile doesn't count in the next", async () => {
  const clock = { now: MIDNIGHT - 1 };
  const answers = [Promise.withResolvers<Cost>(), Promise.withResolvers<Cost>()];
  let asked = 0;
  const budgets = new Budgets({
    now: () => clock.now,
    spentSince: () => answers[asked++]?.promise ?? Promise.reject(new Error("asked too often")),
    onThreshold: () => undefined,
  });
  const yesterday = budgets.hold("a", DOLLARS, { usd: 0, tokens: 0 });
  clock.now = MIDNIGHT;
  const today = budgets.hold("a", DOLLARS, { usd: 0, tokens: 0 });
  answers[1]?.resolve({ usd: 0.25, tokens: 0 });
  await today;
  answers[0]?.resolve({ usd: 9, tokens: 0 });
  await yesterday;
  expect(budgets.standing("a", DOLLARS).spent).toEqual({ usd: 0.25, tokens: 0 });
  held(budgets.hold("a", DOLLARS, { usd: 0, tokens: 0 }) as BudgetHold);
});
