import type { CountedUsage } from "../../answer/answer-event.ts";
import type { Answer } from "../../attempts/answer.ts";
import type { AttemptUsage, SharedBill } from "../../attempts/dispatch-context.ts";
import type { Usage } from "../../contract/index.ts";
import type { GatewayError } from "../../errors/gateway-error.ts";
import type { Gateway } from "../../gateway.ts";
import type { RequestMembers } from "../../json/request-members.ts";
import type { Admitted, LedgerEntry, Outcome } from "../../ledger/ledger.ts";
import type { BudgetHold } from "../../limits/budgets.ts";
import type { Permit } from "../../limits/rate-limiter.ts";
import type { MeasuredRequest } from "../../telemetry/request-metrics.ts";
import type { Cost } from "../../usage/prices.ts";
import { promptTokens, roughPromptTokens } from "../../usage/prompt-tokens.ts";
import type { Plan } from "./route.ts";

/** Reports an answer's usage. */
export interface UsageReport {
  /** The known usage; undefined if tokens must be counted first. */
  readonly known: CountedUsage | undefined;
  /** Returns the known usage, or a rough estimate. */
  estimate(): CountedUsage;
  count(): Promise<CountedUsage>;
}

/** How a request ended; times in ms. */
export interface Ending {
  readonly error: GatewayError | undefined;
  /** The upstream that was called last. */
  readonly upstream: string | undefined;
  readonly upstreamModel: string | undefined;
  readonly attempts: number;
  readonly totalMs: number;
  readonly firstEventMs: number | undefined;
  /** Time until the first upstream call. */
  readonly overheadMs: number | undefined;
  /** Time queued at upstreams. */
  readonly queuedMs: number | undefined;
}

/** What a running request holds. */
export interface Held {
  readonly admitted: Admitted;
  readonly permit: Permit;
  readonly hold: BudgetHold | undefined;
  readonly entry: LedgerEntry;
}

/** No content was delivered, and the upstream reported no usage. The source is not `estimated`: nothing was counted. */
export const NOTHING_USED: CountedUsage = { type: "usage", usage: {}, source: "upstream" };

/**
 * What an admitted request holds of its key's limits and budget, and its row of the ledger. All of it ends by `settle`,
 * whatever became of the request.
 */
export class Reservation {
  readonly #gateway: Gateway;
  readonly #held: Held;
  /** Its prompt is counted if no upstream has reported it. */
  #request: RequestMembers;
  /** Its own attempts whose answers no client got. */
  protected readonly lost: AttemptUsage[] = [];
  /** Set if the attempts are made for several requests. */
  protected bill: SharedBill | undefined;
  /** Set once an answer has begun. */
  protected answer: Answer<unknown> | undefined;
  protected usage: UsageReport | undefined;

  constructor({ exchange, request }: Plan, held: Held) {
    this.#gateway = exchange.gateway;
    this.#held = held;
    this.#request = request;
  }

  /** The answer's usage; undefined without an answer, or if tokens must be counted first. */
  get knownUsage(): CountedUsage | undefined {
    return this.usage?.known;
  }

  /** What is known of the answer's tokens while it goes on; what isn't known is estimated. */
  get usageSoFar(): Usage {
    return this.usage?.estimate().usage ?? {};
  }

  /** Upstreams are asked for less than the request does. */
  asks(request: RequestMembers): void {
    this.#request = request;
  }

  /** Registers the permit for leak detection. */
  trackLeak(): void {
    this.#held.permit.trackLeak();
  }

  /** Releases the concurrent request at once and books the rest when the usage is known. The end survives a kill. */
  protected settle(ending: Ending): void {
    this.#held.permit.releaseConcurrency();
    // Evaluated now: of the requests that share an answer another may pay later.
    const pays = (this.answer ?? this.bill)?.pays() ?? true;
    const lost = pays ? (this.bill?.used ?? this.lost) : [];
    const known = this.usage ? this.usage.known : NOTHING_USED;
    if (known && lost.every(isTold)) this.#book(ending, { said: known, lost: lost.map(asTold), pays });
    else {
      // The count is awaited by nobody; the provisional end survives a kill meanwhile.
      this.#held.entry.closeProvisionally(this.#closedBy(ending, { ...this.#estimate(lost), pays }));
      this.#gateway.settlements.add(this.#count(lost).then((used) => this.#book(ending, { ...used, pays })));
    }
  }

  #estimate(lost: readonly AttemptUsage[]): Omit<Used, "pays"> {
    const prompt = roughPromptTokens(this.#request);
    return { said: this.usage?.estimate() ?? NOTHING_USED, lost: lost.map((each) => counted(each, prompt)) };
  }

  async #count(lost: readonly AttemptUsage[]): Promise<Omit<Used, "pays">> {
    const [said, prompt] = await Promise.all([
      this.usage?.count() ?? NOTHING_USED,
      lost.every(isTold) ? 0 : promptTokens(this.#request, this.#gateway.tokens),
    ]);
    return { said, lost: lost.map((each) => counted(each, prompt)) };
  }

  #book(ending: Ending, used: Used): void {
    const { admitted, entry, permit, hold } = this.#held;
    const closed = this.#closedBy(ending, used);
    permit.settle(closed.settled);
    permit[Symbol.dispose]();
    hold?.settle({ usd: closed.cost ?? 0, tokens: tokensOf(closed.paid) });
    entry.close(closed);
    this.#gateway.metrics.recordClosed(admitted, closed);
  }

  #closedBy(ending: Ending, used: Used): MeasuredRequest {
    const { error } = ending;
    // Without an answer the row describes the last attempt.
    const last = used.lost.at(-1);
    const { usage, source } = this.usage || !last ? used.said : last;
    const paid = this.#paid(used);
    return {
      outcome: outcomeOf(error),
      status: error?.status ?? 200,
      code: error?.code,
      upstream: this.answer?.upstream ?? ending.upstream,
      upstreamModel: this.answer?.upstreamModel ?? ending.upstreamModel,
      attempts: ending.attempts,
      usage,
      usageSource: usage.input === undefined && usage.output === undefined ? undefined : source,
      paid: paid.usage,
      cost: paid.usd,
      priceVersion: paid.version,
      cache: this.answer?.cache ?? "bypass",
      settled: this.#held.permit.reserved > 0 ? tokensOf(paid.usage) : 0,
      totalMs: ending.totalMs,
      firstEventMs: ending.firstEventMs,
      queuedMs: ending.queuedMs,
      overheadMs: ending.overheadMs,
    };
  }

  /** Returns what the key is charged. */
  #paid({ said, lost, pays }: Used): Paid {
    const { answer } = this;
    if (!pays) return UNPAID;
    const paid = answer ? this.#priced(answer, withoutReused(said.usage, answer)) : UNPAID;
    // Nearly always there is only the attempt that answered.
    return lost.reduce((sum, attempt) => added(sum, this.#priced(attempt, attempt.usage)), paid);
  }

  #priced({ upstream, upstreamModel: model }: Place, usage: Usage): Paid {
    if (tokensOf(usage) === 0) return UNPAID;
    const plugin = this.#gateway.upstreams.get(upstream)?.plugin ?? "";
    return { usage, ...this.#gateway.prices.costOf({ upstream, plugin, model }, usage) };
  }
}

/** An upstream and its name for the model. */
type Place = Pick<AttemptUsage, "upstream" | "upstreamModel">;

/** The usage of an attempt whose answer no client got. */
type LostUsage = Place & Pick<CountedUsage, "usage" | "source">;

interface Used {
  /** Usage of the answer. */
  readonly said: CountedUsage;
  readonly lost: readonly LostUsage[];
  readonly pays: boolean;
}

interface Paid extends Cost {
  readonly usage: Usage;
}

const UNPAID: Paid = { usage: {}, usd: 0, version: undefined };

/** Returns whether an attempt's usage is known; otherwise the prompt must be counted. */
function isTold({ reported, wasAbandoned }: AttemptUsage): boolean {
  return !wasAbandoned || reported.input !== undefined;
}

function asTold({ reported, ...place }: AttemptUsage): LostUsage {
  return { ...place, usage: reported, source: "upstream" };
}

function counted(attempt: AttemptUsage, prompt: number): LostUsage {
  if (isTold(attempt)) return asTold(attempt);
  const { reported, ...place } = attempt;
  return { ...place, usage: { output: 0, ...reported, input: prompt }, source: "estimated" };
}

function withoutReused(usage: Usage, { reused = 0 }: Answer<unknown>): Usage {
  return reused === 0 ? usage : { ...usage, input: (usage.input ?? 0) - reused };
}

/** Adds two costs; unknown ones count as 0, and two unknown ones as unknown. */
function added(one: Paid, other: Paid): Paid {
  if (one === UNPAID) return other;
  return {
    usage: sumOf(one.usage, other.usage),
    usd: one.usd === null && other.usd === null ? null : (one.usd ?? 0) + (other.usd ?? 0),
    version: one.version ?? other.version,
  };
}

const COUNTS = ["input", "cachedInput", "cacheWrite", "output", "reasoning"] as const;

function sumOf(one: Usage, other: Usage): Usage {
  return Object.fromEntries(COUNTS.map((count) => [count, (one[count] ?? 0) + (other[count] ?? 0)]));
}

function tokensOf({ input = 0, output = 0 }: Usage): number {
  return input + output;
}

function outcomeOf(error: GatewayError | undefined): Outcome {
  if (!error) return "ok";
  if (error.code === "client_closed_request") return "client_abort";
  return error.code === "upstream_truncated" ? "truncated" : "upstream_error";
}
