import type { BudgetSettings } from "../../config/settings.ts";

const DAY_MS = 86_400_000;
/** 1970 began on a Thursday: days from the Monday before. */
const DAYS_SINCE_MONDAY = 3;

/** A calendar day, week or month in UTC, in ms since 1970; `end` is the next period's start. */
export interface BudgetPeriod {
  readonly start: number;
  readonly end: number;
}

/** Returns the day, week (from Monday) or month that contains `at` (ms since 1970). */
export function budgetPeriod(per: BudgetSettings["per"], at: number): BudgetPeriod {
  if (per === "month") {
    const date = new Date(at);
    const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()];
    return { start: Date.UTC(year, month), end: Date.UTC(year, month + 1) };
  }
  // UTC has no leap seconds in JavaScript, so every day is as long.
  const day = Math.floor(at / DAY_MS);
  if (per === "day") return { start: day * DAY_MS, end: (day + 1) * DAY_MS };
  const monday = day - ((((day + DAYS_SINCE_MONDAY) % 7) + 7) % 7);
  return { start: monday * DAY_MS, end: (monday + 7) * DAY_MS };
}
