import type { Usage } from "../contract/index.ts";
import type { RequestError } from "../dialects/request-error.ts";
import type { CountedUsage } from "../flow/answer-event.ts";
import type { Hold } from "../state/budgets.ts";
import type { Gateway } from "../state/gateway.ts";
import type { Admitted, CacheState, LedgerEntry, Outcome } from "../state/ledger.ts";
import type { MeteredEnd } from "../state/meter.ts";
import type { Cost } from "../state/prices.ts";
import type { Slot } from "../state/rate-limiter.ts";

/** Says what an answer used. */
export interface Usable {
  /** What can be told now; undefined where words must be counted first. */
  readonly known: CountedUsage | undefined;
  count(): Promise<CountedUsage>;
}

/** Who answered a request, as far as that decides what it cost. */
export interface ServedBy {
  /** The upstream's name in gateway.yaml. */
  readonly upstream: string;
  /** Its own name for the model. */
  readonly upstreamModel: string;
  readonly cache: CacheState;
  /** Whether it is this request that pays for the upstream's work. */
  pays(): boolean;
}

/** How a request ended; times in ms. */
export interface Ending {
  readonly error: RequestError | undefined;
  /** Who was asked last. */
  readonly upstream: string | undefined;
  readonly upstreamModel: string | undefined;
  readonly attempts: number;
  readonly totalMs: number;
  readonly firstEventMs: number | undefined;
  /** Until an upstream was first called. */
  readonly overheadMs: number | undefined;
}

/** What a request holds while it is answered. */
export interface Held {
  readonly slot: Slot;
  readonly hold: Hold | undefined;
  readonly entry: LedgerEntry;
}

/** Nothing was delivered, and nobody said that anything was used. */
export const NOTHING: CountedUsage = { type: "usage", usage: {}, source: "upstream" };

/**
 * One admitted request: what it holds of its key's limits and budget, and its row of the ledger. All of it ends
 * by `end`, whatever became of the request.
 */
export class Admission {
  readonly #gateway: Gateway;
  readonly #admitted: Admitted;
  readonly #held: Held;
  /** Set as soon as there is an answer to keep account of. */
  account: Usable | undefined;
  /** Set as soon as somebody has begun to answer. */
  served: ServedBy | undefined;

  constructor(admitted: Admitted, held: Held, gateway: Gateway) {
    this.#admitted = admitted;
    this.#held = held;
    this.#gateway = gateway;
  }

  /** Its place is freed if it should ever be forgotten. */
  guard(): void {
    this.#held.slot.guard();
  }

  /** Gives its place back at once, and books the rest as soon as the usage is known. */
  end(ending: Ending): void {
    this.#held.slot.leave();
    // Asked now: of those who share an answer, the others may go on, and another one pay.
    const pays = this.served?.pays() ?? true;
    const { account } = this;
    const known = account ? account.known : NOTHING;
    if (known) this.#book(ending, known, pays);
    else if (account) {
      this.#gateway.bookings.add(account.count().then((counted) => this.#book(ending, counted, pays)));
    }
  }

  #book(ending: Ending, { usage, source }: CountedUsage, pays: boolean): void {
    const { entry, slot, hold } = this.#held;
    const { error } = ending;
    const price = pays ? this.#priceOf(usage) : FREE;
    const charged = pays ? tokensOf(usage) : 0;
    const settled = slot.reserved > 0 ? charged : 0;
    slot.settle(settled);
    slot[Symbol.dispose]();
    hold?.settle({ usd: price.usd ?? 0, tokens: charged });
    const closed: MeteredEnd = {
      outcome: outcomeOf(error),
      status: error?.status ?? 200,
      code: error?.code,
      upstream: this.served?.upstream ?? ending.upstream,
      upstreamModel: this.served?.upstreamModel ?? ending.upstreamModel,
      attempts: ending.attempts,
      usage,
      paid: pays ? usage : NONE,
      usageSource: usage.input === undefined && usage.output === undefined ? undefined : source,
      cost: price.usd,
      priceVersion: price.version,
      cache: this.served?.cache ?? "bypass",
      settled,
      totalMs: ending.totalMs,
      firstEventMs: ending.firstEventMs,
      overheadMs: ending.overheadMs,
    };
    entry.close(closed);
    this.#gateway.meter.closed(this.#admitted, closed);
  }

  #priceOf(usage: Usage): Cost {
    const { served } = this;
    if (!served || tokensOf(usage) === 0) return FREE;
    const plugin = this.#gateway.upstreams.get(served.upstream)?.plugin ?? "";
    const { upstream, upstreamModel: model } = served;
    return this.#gateway.prices.costOf({ upstream, plugin, model }, usage);
  }
}

const NONE: Usage = {};
const FREE: Cost = { usd: 0, version: undefined };

function tokensOf({ input = 0, output = 0 }: Usage): number {
  return input + output;
}

function outcomeOf(error: RequestError | undefined): Outcome {
  if (!error) return "ok";
  if (error.code === "client_closed_request") return "client_abort";
  return error.code === "upstream_truncated" ? "truncated" : "upstream_error";
}
