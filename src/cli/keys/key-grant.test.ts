import { expect, test } from "bun:test";
import { parseGrant } from "./key-grant.ts";

test("options become what stands in gateway.yaml, defaults filled in", () => {
  const options = {
    models: "gpt-4o*, claude-*",
    "requests-per-minute": "60",
    "concurrent-requests": "4",
    "budget-usd": "2.5",
    expires: "2100-01-01",
  };
  expect(parseGrant("bob", options)).toEqual({
    name: "bob",
    models: ["gpt-4o*", "claude-*"],
    limits: { requests_per_minute: 60, concurrent_requests: 4 },
    budget: { usd: 2.5, per: "month" },
    expires: Date.UTC(2100, 0, 1),
  });
  expect(parseGrant("eve", {})).toEqual({ name: "eve", models: ["*"], limits: {} });
});

test("every wrong option is told, by its own name and with the right form", () => {
  const options = {
    models: ",a",
    "requests-per-minute": "many",
    "requests-per-day": "",
    "tokens-per-minute": "0",
    "concurrent-requests": "1.5",
    "budget-usd": "-1",
    "budget-tokens": "1e3",
    "budget-per": "year",
    expires: "tomorrow",
  };
  expect(parseGrant(" x", options)).toEqual([
    'NAME: expected a name without white space at its ends, found " x"',
    "--models: expected a model's name or a pattern such as gpt-4o*, found an empty text",
    '--requests-per-minute: expected a whole number, at least 1, found "many"',
    "--requests-per-day: expected a whole number, at least 1, found an empty text",
    "--tokens-per-minute: expected a whole number, at least 1, found 0",
    "--concurrent-requests: expected a whole number, at least 1, found 1.5",
    "--budget-usd: expected a number, more than 0, found -1",
    '--budget-tokens: expected a whole number, at least 1, found "1e3"',
    '--budget-per: expected "day", "week" or "month", found "year"',
    '--expires: expected a date such as 2027-01-01 or 2027-01-01T12:00:00Z, found "tomorrow" (write year-month-day)',
  ]);
});

test("a period without a budget and a time that is over are refused", () => {
  expect(parseGrant("bob", { "budget-per": "day" })).toEqual([
    "--budget-per: of what? give --budget-usd, --budget-tokens or both",
  ]);
  expect(parseGrant("bob", { expires: "2020-01-01" })).toEqual(["--expires: that time is over already"]);
});
