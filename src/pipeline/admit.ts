import type { BudgetSettings } from "../../config/settings.ts";
import { GatewayError } from "../errors/gateway-error.ts";
import type { BudgetRefusal, BudgetHold } from "../limits/budgets.ts";
import type { Gateway } from "../gateway.ts";
import type { Caller } from "../keys/keyring.ts";
import type { Limited, LimitRefusal, Permit } from "../limits/rate-limiter.ts";
import type { RequestEstimate } from "../usage/token-estimate.ts";
import { estimateRequest, within } from "../usage/token-estimate.ts";
import { Ticket } from "./reservation.ts";
import type { RequestCall } from "./exchange.ts";
import { outputBounds } from "./output-bounds.ts";
import type { CountableRequest } from "../usage/prompt-tokens.ts";
import type { Plan } from "./route.ts";

interface AdmitDeps {
  readonly caller: Caller;
  readonly call: RequestCall;
  readonly gateway: Gateway;
}

/**
 * Step 5: takes what the request may need of its key's limits and budget, and opens its row of the ledger. What
 * is refused here, or was before, consumes nothing. When it is done, the admission is where a killed process doesn't
 * lose it.
 * Leaves with `rate_limit_exceeded`, `insufficient_quota`, `invalid_value`.
 */
export function admit(request: CountableRequest, plan: Plan, around: AdmitDeps): Promise<void> | undefined {
  const { caller, call, gateway } = around;
  call.cancellation.throwIfCancelled();
  const needed = neededTokens(request, plan, around);
  // The budget first: what was only held can be given back, and a request that was counted can't.
  const hold = caller.budget && takeHold(caller.budget, needed, { plan, ...around });
  if (hold instanceof Promise) return hold.then(() => admit(request, plan, around));
  const slot = takePermit(needed, around);
  if ("limit" in slot) {
    hold?.settle(NOTHING);
    throw beyondLimit(slot, needed, caller);
  }
  const admitted = {
    request: call.id,
    key: caller.name,
    model: plan.asked,
    endpoint: call.path,
    at: Date.now(),
    reserved: slot.reserved,
  };
  const entry = gateway.ledger.open(admitted);
  call.admit(new Ticket(admitted, { slot, hold, entry, request }, gateway));
  return undefined;
}

const NOTHING = { usd: 0, tokens: 0 };

/** A key, as its limits know it. */
export function limited({ name, limits }: Caller): Limited {
  return { id: name, limits };
}

/** What is counted against limits and budgets; nothing is estimated for a key that has neither of tokens. */
function neededTokens(
  request: CountableRequest,
  plan: Plan,
  { caller, gateway }: AdmitDeps,
): RequestEstimate {
  const { tokens_per_minute: limit } = caller.limits;
  if (limit === undefined && !caller.budget) return NONE;
  return within(limit, estimateRequest(request, outputBounds(plan, gateway)));
}

const NONE: RequestEstimate = { input: 0, output: 0, outputAsked: false };

function takePermit(needed: RequestEstimate, { caller, gateway }: AdmitDeps): Permit | LimitRefusal {
  const tokens = caller.limits.tokens_per_minute === undefined ? 0 : needed.input + needed.output;
  return gateway.limiter.admit(limited(caller), tokens);
}

/** `60 requests per minute`, as the limit's name says it. */
function limitText({ limit, of }: LimitRefusal): string {
  return limit === "concurrent_requests"
    ? `${of} concurrent requests`
    : `${of} ${limit.replaceAll("_", " ")}`;
}

function beyondLimit(refusal: LimitRefusal, needed: RequestEstimate, { name }: Caller): GatewayError {
  const { retryAfterMs } = refusal;
  if (retryAfterMs === undefined) {
    const { input, output, outputAsked } = needed;
    const mend =
      outputAsked && input < refusal.of ? "ask for a smaller max_tokens" : "make the prompt shorter";
    return new GatewayError(
      "invalid_value",
      `the request may need ${input + output} tokens, more than the key "${name}" has in a whole minute (${refusal.of}); ${mend}`,
      { param: outputAsked && input < refusal.of ? "max_tokens" : "messages" },
    );
  }
  const message = `the key "${name}" is at its limit of ${limitText(refusal)}; try again in ${duration(retryAfterMs)}`;
  return new GatewayError("rate_limit_exceeded", message, { retryAfterMs });
}

function takeHold(
  budget: BudgetSettings,
  needed: RequestEstimate,
  { plan, caller, gateway }: AdmitDeps & { readonly plan: Plan },
): BudgetHold | Promise<void> {
  const { input, output } = needed;
  const [target] = plan.targets;
  const place = target && {
    upstream: target.upstream.id,
    plugin: target.upstream.plugin,
    model: target.model,
  };
  const usd = (place && gateway.prices.costOf(place, { input, output }).usd) ?? 0;
  const hold = gateway.budgets.hold(caller.name, budget, { usd, tokens: input + output });
  if ("budget" in hold) throw beyondBudget(hold, caller);
  return hold;
}

function beyondBudget(
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
