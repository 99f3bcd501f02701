import type { JsonObject } from "../contract/index.ts";
import { jsonAnswer } from "../dialects/operation-document.ts";
import type { Caller } from "../keys/keyring.ts";
import type { Authenticated } from "../pipeline/intake/authenticate.ts";
import { replyAlone } from "../pipeline/reply.ts";

/** Reads a key's usage, a row for each day (as 2026-01-31). */
export interface DailyUsage {
  usage(query: { readonly by: "day"; readonly since?: number; readonly key: string }): Promise<
    readonly {
      readonly name: string;
      /** USD. */
      readonly cost: number;
    }[]
  >;
}

/** Limit shown for a key without a budget in USD: NextChat needs a number. */
const WITHOUT_LIMIT_USD = 100_000_000;

/** GET /dashboard/billing/subscription, as NextChat reads it. */
export const SUBSCRIPTION = {
  document: {
    summary: "What the key may spend, as NextChat shows it",
    answer: jsonAnswer("The budget", {
      type: "object",
      properties: { hard_limit_usd: { type: "number" } },
    }),
  },
  answer: (client: Authenticated) => replyAlone(client, subscriptionOf(client.caller)),
};

/** GET /dashboard/billing/usage. */
export const USAGE = {
  document: {
    summary: "What the key has spent, as NextChat shows it",
    parameters: ["start_date", "end_date"].map((name) => ({
      name,
      in: "query",
      description: name === "end_date" ? "The day after the last" : "The first day",
      schema: { type: "string", format: "date" },
    })),
    answer: jsonAnswer("US cents", { type: "object", properties: { total_usage: { type: "number" } } }),
  },
  answer: async (client: Authenticated) => {
    const { gateway, http } = client.exchange;
    gateway.ledger.flush();
    return replyAlone(client, await usageOf(http, client.caller, gateway.usage));
  },
};

/** Returns the key's budget. */
export function subscriptionOf({ budget, expires }: Caller): JsonObject {
  const limit = budget?.usd ?? WITHOUT_LIMIT_USD;
  return {
    object: "billing_subscription",
    has_payment_method: true,
    soft_limit_usd: limit,
    hard_limit_usd: limit,
    system_hard_limit_usd: limit,
    access_until: expires === undefined ? 0 : Math.floor(expires / 1000),
  };
}

/**
 * What the key has spent from `start_date` to the day before `end_date`, in cents. Days
 * are in UTC; a date that is left out, or is none, is no bound.
 */
export async function usageOf(http: Request, { name: key }: Caller, ledger: DailyUsage): Promise<JsonObject> {
  const query = new URLSearchParams(/\?(.*)$/.exec(http.url)?.[1] ?? "");
  const [from, to] = [dayIn(query, "start_date"), dayIn(query, "end_date")];
  const since = from === undefined ? {} : { since: Date.parse(from) };
  const days = await ledger.usage({ by: "day", key, ...since });
  const asked = days.filter(({ name: day }) => (from ?? "") <= day && (to === undefined || day < to));
  const usd = asked.reduce((sum, { cost }) => sum + cost, 0);
  return { object: "list", total_usage: usd * 100 };
}

/** Parses a date, as 2026-01-31 or 2026-1-31. */
function dayIn(query: URLSearchParams, name: string): string | undefined {
  const [, year = "", month = "", day = ""] =
    /^(\d{4})-(\d{1,2})-(\d{1,2})$/.exec(query.get(name) ?? "") ?? [];
  const text = `${year}-${month.padStart(2, "0")}-${day.padStart(2, "0")}`;
  return Number.isNaN(Date.parse(text)) ? undefined : text;
}
