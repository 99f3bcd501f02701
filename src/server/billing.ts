import type { Caller } from "../keys/keyring.ts";

/** What a key has used, a row for each day (as 2026-01-31). */
export interface DailyUsage {
  usage(query: { readonly by: "day"; readonly since?: number; readonly key: string }): Promise<
    readonly {
      readonly name: string;
      /** USD. */
      readonly cost: number;
    }[]
  >;
}

/** What a key without a budget in USD may spend, as clients such as NextChat must be shown a number. */
const WITHOUT_LIMIT_USD = 100_000_000;

/** GET /dashboard/billing/subscription: what the key may spend in its budget's period, as NextChat reads it. */
export function subscriptionPage({ budget, expires }: Caller): Response {
  const limit = budget?.usd ?? WITHOUT_LIMIT_USD;
  return Response.json({
    object: "billing_subscription",
    has_payment_method: true,
    soft_limit_usd: limit,
    hard_limit_usd: limit,
    system_hard_limit_usd: limit,
    access_until: expires === undefined ? 0 : Math.floor(expires / 1000),
  });
}

/**
 * GET /dashboard/billing/usage: what the key has spent from `start_date` to the day before `end_date`, in cents. Days
 * are in UTC; a date that is left out, or is none, is no bound.
 */
export async function usagePage(http: Request, { name: key }: Caller, ledger: DailyUsage): Promise<Response> {
  const query = new URLSearchParams(/\?(.*)$/.exec(http.url)?.[1] ?? "");
  const [from, to] = [dayIn(query, "start_date"), dayIn(query, "end_date")];
  const since = from === undefined ? {} : { since: Date.parse(from) };
  const days = await ledger.usage({ by: "day", key, ...since });
  const asked = days.filter(({ name: day }) => (from ?? "") <= day && (to === undefined || day < to));
  const usd = asked.reduce((sum, { cost }) => sum + cost, 0);
  return Response.json({ object: "list", total_usage: usd * 100 });
}

/** As 2026-01-31, where 2026-1-31 may be written. */
function dayIn(query: URLSearchParams, name: string): string | undefined {
  const [, year = "", month = "", day = ""] =
    /^(\d{4})-(\d{1,2})-(\d{1,2})$/.exec(query.get(name) ?? "") ?? [];
  const text = `${year}-${month.padStart(2, "0")}-${day.padStart(2, "0")}`;
  return Number.isNaN(Date.parse(text)) ? undefined : text;
}
