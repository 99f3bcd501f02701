import { GatewayError } from "../../errors/gateway-error.ts";
import type { Caller } from "../../keys/keyring.ts";
import type { BudgetRefusal } from "../../limits/budgets.ts";
import type { LimitRefusal } from "../../limits/rate-limiter.ts";
import type { RequestEstimate } from "../../usage/token-estimate.ts";
import type { Plan } from "./route.ts";

/** `60 requests per minute`, as the limit's name says it. */
function limitText({ limit, of }: LimitRefusal): string {
  return limit === "concurrent_requests"
    ? `${of} concurrent requests`
    : `${of} ${limit.replaceAll("_", " ")}`;
}

/** Returns the error for a request that is beyond a limit of its key. */
export function beyondLimit(
  refusal: LimitRefusal,
  needed: RequestEstimate,
  { caller: { name }, request }: Plan,
): GatewayError {
  const { retryAfterMs } = refusal;
  if (retryAfterMs === undefined) {
    const { input, output, isOutputBounded } = needed;
    const isOutput = isOutputBounded && input < refusal.of;
    const param = request.clientName(isOutput ? "max_tokens" : "messages");
    const mend = isOutput ? `ask for a smaller ${param}` : "make the prompt shorter";
    return new GatewayError(
      "invalid_value",
      `the request may need ${input + output} tokens, more than the key "${name}" has in a whole minute (${refusal.of}); ${mend}`,
      { param },
    );
  }
  const message = `the key "${name}" is at its limit of ${limitText(refusal)}; try again in ${duration(retryAfterMs)}`;
  return new GatewayError("rate_limit_exceeded", message, { retryAfterMs });
}

/** Returns the error for a request that is beyond the budget of its key. */
export function beyondBudget(
  { budget, of, per, held, retryAfterMs }: BudgetRefusal,
  { name }: Caller,
): GatewayError {
  const amount = budget === "usd" ? `$${of}` : `${of} tokens`;
  if (held) {
    const message = `what is left of the key "${name}"'s budget of ${amount} a ${per} is held by requests under way; try again in ${duration(retryAfterMs)}`;
    return new GatewayError("rate_limit_exceeded", message, { retryAfterMs });
  }
  const message = `the key "${name}" has spent its budget of ${amount} for this ${per}; it begins anew in ${duration(retryAfterMs)}`;
  // Nobody should wait for it with an open connection, or ask again and again.
  return new GatewayError("insufficient_quota", message, {
    retryAfterMs,
    headers: { "x-should-retry": "false" },
  });
}

/** A wait in words: `0.4 s`, `12 s`, `5 min`, `3 h`, `2 days`. */
function duration(ms: number): string {
  if (ms < 10_000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms < 120_000) return `${Math.ceil(ms / 1000)} s`;
  if (ms < 7_200_000) return `${Math.ceil(ms / 60_000)} min`;
  return ms < 172_800_000 ? `${Math.ceil(ms / 3_600_000)} h` : `${Math.ceil(ms / 86_400_000)} days`;
}
