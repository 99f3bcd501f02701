import type { BudgetSettings } from "../../../config/settings.ts";
import type { GatewayError } from "../../errors/gateway-error.ts";
import type { CountedUsage } from "../../answer/answer-event.ts";
import type { Answer } from "../../attempts/answer.ts";
import { joinedEntries } from "../../attempts/ignored-parameters.ts";
import type {
  AttemptUsage,
  DispatchContext,
  DispatchFacts,
  SharedBill,
} from "../../attempts/dispatch-context.ts";
import type { Subscriber } from "../../cache/shared-call.ts";
import type { ModelRequest } from "../../dialects/model-request.ts";
import type { Caller } from "../../keys/keyring.ts";
import type { CacheState } from "../../ledger/ledger.ts";
import type { BudgetHold } from "../../limits/budgets.ts";
import type { Limited, LimitRefusal, Permit } from "../../limits/rate-limiter.ts";
import type { GatewayLogger } from "../../log.ts";
import type { CancelSource } from "../../runtime/cancel-source.ts";
import type { RequestEstimate } from "../../usage/token-estimate.ts";
import { estimateRequest, clampEstimate } from "../../usage/token-estimate.ts";
import type { AdmittedRequest, Exchange, RequestProgress } from "../intake/exchange.ts";
import { beyondBudget, beyondLimit } from "./limit-refusals.ts";
import { outputBounds } from "../../usage/output-bounds.ts";
import type { Held, UsageReport } from "./reservation.ts";
import { NOTHING_USED, Reservation } from "./reservation.ts";
import type { Plan } from "./route.ts";

/** Characters of the request's record that name ignored parameters; clients may make up any number of them. */
const LONGEST_IGNORED = 4_000;

/** What becomes known of a request on its way. */
interface Facts extends DispatchFacts {
  readonly cache?: CacheState;
}

/**
 * An admitted request: what it holds of limits and budget, its row of the ledger, and what has become known of the calls
 * to upstreams that are made for it. Only `admit` makes one, and nothing is asked of an upstream without one.
 */
class Ticket<R extends ModelRequest = ModelRequest>
  extends Reservation
  implements RequestProgress, AdmittedRequest, DispatchContext, Subscriber
{
  declare protected readonly step: "admitted";
  readonly plan: Plan<R>;
  upstream: string | undefined;
  upstreamModel: string | undefined;
  attempts: number | undefined;
  queuedMs: number | undefined;
  cache: CacheState | undefined;
  #firstEventMs: number | undefined;
  #overheadMs: number | undefined;

  constructor(plan: Plan<R>, held: Held) {
    super(plan, held);
    this.plan = plan;
    plan.exchange.reached(this);
  }

  get admitted(): this {
    return this;
  }

  get exchange(): Exchange {
    return this.plan.exchange;
  }

  get caller(): Caller {
    return this.plan.caller;
  }

  get shownModel(): string {
    return this.plan.shownModel;
  }

  get request(): R {
    return this.plan.request;
  }

  get id(): string {
    return this.exchange.id;
  }

  get headers(): Readonly<Record<string, string>> {
    return this.exchange.forwardedHeaders;
  }

  get log(): GatewayLogger {
    return this.exchange.log;
  }

  get cancellation(): CancelSource<GatewayError> {
    return this.exchange.cancellation;
  }

  get gone(): GatewayError {
    return this.exchange.gone;
  }

  get age(): number {
    return this.exchange.age;
  }

  get ignored(): string | undefined {
    const ignored = this.answer?.ignored ?? [];
    return ignored.length > 0 ? joinedEntries(ignored, LONGEST_IGNORED) : undefined;
  }

  note({ upstream, upstreamModel, attempts, queuedMs, cache }: Facts): void {
    if (attempts !== undefined) this.#overheadMs ??= this.age;
    this.upstream = upstream ?? this.upstream;
    this.upstreamModel = upstreamModel ?? this.upstreamModel;
    this.attempts = attempts ?? this.attempts;
    if (queuedMs !== undefined) this.queuedMs = (this.queuedMs ?? 0) + queuedMs;
    this.cache = cache ?? this.cache;
  }

  used(usage: AttemptUsage): void {
    this.lost.push(usage);
  }

  share(bill: SharedBill): void {
    this.bill = bill;
  }

  /** An upstream, or the cache, has begun to answer; `usage` follows what that uses. */
  answeredBy(answer: Answer<unknown>, usage: UsageReport): void {
    this.answer = answer;
    this.usage = usage;
  }

  /** The whole answer is about to be sent as it was sent before. */
  deliveredAs(answer: Answer<unknown>, usage: CountedUsage = NOTHING_USED): void {
    this.answeredBy(answer, { known: usage, estimate: () => usage, count: async () => usage });
    this.delivering();
  }

  /** A part of the answer is about to be sent. */
  delivering(): void {
    this.#firstEventMs ??= this.age;
  }

  end(error: GatewayError | undefined, totalMs: number): void {
    this.settle({
      error,
      upstream: this.upstream,
      upstreamModel: this.upstreamModel,
      attempts: this.attempts ?? 0,
      totalMs,
      firstEventMs: this.#firstEventMs,
      overheadMs: this.#overheadMs,
      queuedMs: this.queuedMs,
    });
  }
}

export type { Ticket };

/**
 * Takes what the request may need of its key's limits and budget, and opens its row of the ledger. What is refused here, or
 * was before, consumes nothing. When it is done, the admission is where a killed process doesn't lose it.
 * Leaves with `rate_limit_exceeded`, `insufficient_quota`, `invalid_value`.
 */
export function admit<R extends ModelRequest>(plan: Plan<R>): Ticket<R> | Promise<Ticket<R>> {
  const { exchange, caller } = plan;
  exchange.cancellation.throwIfCancelled();
  const needed = neededTokens(plan);
  // The budget first: what was only held can be given back, and a request that was counted can't.
  const hold = plan.request.usesTokens && caller.budget && takeHold(caller.budget, needed, plan);
  if (hold instanceof Promise) return hold.then(() => admit(plan));
  const permit = takePermit(needed, plan);
  if ("limit" in permit) {
    if (hold) hold.settle(NOTHING);
    throw beyondLimit(permit, needed, plan);
  }
  const admitted = {
    request: exchange.id,
    key: caller.name,
    model: plan.request.model,
    endpoint: exchange.path,
    at: Date.now(),
    reserved: permit.reserved,
  };
  const entry = exchange.gateway.ledger.open(admitted);
  return new Ticket(plan, { admitted, permit, hold: hold || undefined, entry });
}

const NOTHING = { usd: 0, tokens: 0 };

/** A key, as its limits know it. */
export function limited({ name, limits }: Caller): Limited {
  return { id: name, limits };
}

/** What is counted against limits and budgets; nothing is estimated for a key that has neither of tokens. */
function neededTokens({ exchange, caller, request, targets }: Plan): RequestEstimate {
  const { tokens_per_minute: limit } = caller.limits;
  if (!request.usesTokens || (limit === undefined && !caller.budget)) return NONE;
  return clampEstimate(limit, estimateRequest(request, outputBounds(targets, exchange.gateway)));
}

const NONE: RequestEstimate = { input: 0, output: 0, isOutputBounded: false };

function takePermit(needed: RequestEstimate, { exchange, caller }: Plan): Permit | LimitRefusal {
  const tokens = caller.limits.tokens_per_minute === undefined ? 0 : needed.input + needed.output;
  return exchange.gateway.limiter.admit(limited(caller), tokens);
}

function takeHold(
  budget: BudgetSettings,
  { input, output }: RequestEstimate,
  plan: Plan,
): BudgetHold | Promise<void> {
  const { prices, budgets } = plan.exchange.gateway;
  const [target] = plan.targets;
  const place = target && {
    upstream: target.upstream.id,
    plugin: target.upstream.plugin,
    model: target.model,
  };
  const usd = (place && prices.costOf(place, { input, output }).usd) ?? 0;
  const hold = budgets.hold(plan.caller.name, budget, { usd, tokens: input + output });
  if ("budget" in hold) throw beyondBudget(hold, plan.caller);
  return hold;
}
