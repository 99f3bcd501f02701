import { expect, test } from "bun:test";
import fc from "fast-check";
import { budgetPeriod } from "./budget-period.ts";

test.each([
  ["day", "2026-11-24T14:30:00Z", "2026-11-24", "2026-11-25"],
  ["day", "2028-02-28T23:59:59.999Z", "2028-02-28", "2028-02-29"],
  ["day", "2028-02-29T00:00:00Z", "2028-02-29", "2028-03-01"],
  ["week", "2026-11-24T14:30:00Z", "2026-11-23", "2026-11-30"],
  ["week", "2026-11-23T00:00:00Z", "2026-11-23", "2026-11-30"],
  ["week", "2026-11-29T23:59:59.999Z", "2026-11-23", "2026-11-30"],
  ["week", "2027-01-01T00:00:00Z", "2026-12-28", "2027-01-04"],
  ["week", "1970-01-01T00:00:00Z", "1969-12-29", "1970-01-05"],
  ["month", "2026-12-31T23:59:59.999Z", "2026-12-01", "2027-01-01"],
  ["month", "2027-02-28T12:00:00Z", "2027-02-01", "2027-03-01"],
  ["month", "2028-02-29T12:00:00Z", "2028-02-01", "2028-03-01"],
  ["month", "2100-02-28T12:00:00Z", "2100-02-01", "2100-03-01"],
] as const)("the %s of %s is that from %s until %s", (per, at, start, end) => {
  expect(budgetPeriod(per, Date.parse(at))).toEqual({ start: Date.parse(start), end: Date.parse(end) });
});

test("periods follow one another without a gap, each with its own times in it", () => {
  const time = fc.integer({ min: Date.parse("1990-01-01"), max: Date.parse("2110-01-01") });
  fc.assert(
    fc.property(fc.constantFrom("day", "week", "month"), time, (per, at) => {
      const { start, end } = budgetPeriod(per, at);
      expect(start <= at && at < end).toBe(true);
      expect(budgetPeriod(per, start)).toEqual({ start, end });
      expect(budgetPeriod(per, end - 1)).toEqual({ start, end });
      expect(budgetPeriod(per, end).start).toBe(end);
      expect(new Date(start).getUTCHours()).toBe(0);
      if (per === "week") expect(new Date(start).getUTCDay()).toBe(1);
      if (per === "month") expect(new Date(start).getUTCDate()).toBe(1);
    }),
  );
});
