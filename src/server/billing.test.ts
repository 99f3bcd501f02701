import { expect, test } from "bun:test";
import type { Caller } from "../keys/keyring.ts";
import { subscriptionOf, usageOf } from "./billing.ts";
import type { DailyUsage } from "./billing.ts";

const CALLER: Caller = {
  name: "alice",
  hash: "a1",
  models: ["*"],
  expires: undefined,
  limits: {},
  budget: undefined,
};
const LEDGER: DailyUsage = {
  usage: async ({ key }) =>
    key === "alice"
      ? [
          { name: "2026-10-31", cost: 8 },
          { name: "2026-11-01", cost: 0.25 },
          { name: "2026-11-09", cost: 0.5 },
          { name: "2026-11-10", cost: 4 },
        ]
      : [],
};

async function centsOf(query: string, caller = CALLER): Promise<unknown> {
  const http = new Request(`http://localhost/dashboard/billing/usage${query}`);
  return (await usageOf(http, caller, LEDGER))["total_usage"];
}

test("a subscription is the key's budget, or more than anybody spends", () => {
  const limited = subscriptionOf({ ...CALLER, budget: { usd: 20, per: "month" } });
  expect(limited).toMatchObject({ hard_limit_usd: 20, access_until: 0 });
  expect(subscriptionOf(CALLER)).toMatchObject({ hard_limit_usd: 100_000_000 });
});

test("usage is in cents, from the first day to the one before the last", async () => {
  expect(await centsOf("?start_date=2026-11-01&end_date=2026-11-10")).toBe(75);
  expect(await centsOf("?start_date=2026-11-1&end_date=2026-11-9")).toBe(25);
});

test("a date that is left out, or is none, is no bound; another key has its own", async () => {
  expect(await centsOf("")).toBe(1275);
  expect(await centsOf("?start_date=soon")).toBe(1275);
  expect(await centsOf("", { ...CALLER, name: "bob" })).toBe(0);
});
