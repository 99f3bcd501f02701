import type { BudgetSettings, LimitSettings } from "../../../config/settings.ts";

const WORDS: Readonly<Record<keyof LimitSettings, string>> = {
  requests_per_minute: "requests/min",
  requests_per_day: "requests/day",
  tokens_per_minute: "tokens/min",
  concurrent_requests: "at once",
};

/** Formats limits as `60 requests/min, 4 at once`, or `none`. */
export function formatLimits(limits: LimitSettings): string {
  const words = Object.entries(WORDS).flatMap(([name, unit]) => {
    const limit = limits[name as keyof LimitSettings];
    return limit === undefined ? [] : [`${limit} ${unit}`];
  });
  return words.join(", ") || "none";
}

/** Formats a budget as `20 USD and 5000000 tokens per month`, or `none`. */
export function formatBudget(budget: BudgetSettings | undefined): string {
  if (!budget) return "none";
  const { usd, tokens, per } = budget;
  const parts = [
    ...(usd === undefined ? [] : [`${usd} USD`]),
    ...(tokens === undefined ? [] : [`${tokens} tokens`]),
  ];
  return `${parts.join(" and ")} per ${per}`;
}
