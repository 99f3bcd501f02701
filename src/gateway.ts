import type { RetrySettings } from "../config/settings.ts";
import type { GatewayLogger } from "./log.ts";
import type { RequestMetrics } from "./telemetry/request-metrics.ts";
import type { PendingSettlements } from "./ledger/pending-settlements.ts";
import type { Budgets } from "./limits/budgets.ts";
import type { ByteBudget } from "./limits/byte-budget.ts";
import type { InFlightRequests } from "./telemetry/in-flight-requests.ts";
import type { Keyring } from "./keys/keyring.ts";
import type { LedgerReader } from "./ledger/ledger-store.ts";
import type { Ledger } from "./ledger/ledger.ts";
import type { ModelCatalog } from "./targets/model-catalog.ts";
import type { OpenUpstream } from "./targets/open-upstream.ts";
import type { PriceBook } from "./usage/prices.ts";
import type { RateLimiter } from "./limits/rate-limiter.ts";
import type { ResponseCache } from "./cache/response-cache.ts";
import type { TextStore } from "./cache/text-store.ts";
import type { HeadersCache } from "./runtime/headers-cache.ts";
import type { RouteTable } from "./targets/route-table.ts";
import type { TargetStates } from "./targets/target-states.ts";
import type { TokenCounter } from "./usage/token-counter.ts";

/** All that outlives a request, made once from one configuration: what the steps of the pipeline work with. */
export interface Gateway {
  readonly limits: GatewayLimits;
  readonly keyring: Keyring;
  readonly upstreams: ReadonlyMap<string, OpenUpstream>;
  readonly catalog: ModelCatalog;
  readonly routes: RouteTable;
  readonly targets: TargetStates;
  readonly retry: RetrySettings;
  readonly bodies: ByteBudget;
  /** Undefined where it is turned off. */
  readonly cache: ResponseCache | undefined;
  /** What is kept for `previous_response_id`; undefined where that is turned off. */
  readonly kept: TextStore | undefined;
  /** The limits of keys, by their names. */
  readonly limiter: RateLimiter;
  /** The limits of upstreams, by their names. */
  readonly upstreamLimiter: RateLimiter;
  readonly budgets: Budgets;
  readonly prices: PriceBook;
  readonly ledger: Ledger;
  /** What the ledger says of past usage. */
  readonly usage: LedgerReader;
  readonly settlements: PendingSettlements;
  readonly metrics: RequestMetrics;
  /** The tokens that are reserved for an answer whose request doesn't bound it. */
  readonly outputEstimate: number;
  readonly calls: InFlightRequests;
  readonly tokens: TokenCounter;
  /** The headers of answers, which most answers have in common with the one before. */
  readonly headers: HeadersCache;
  readonly log: GatewayLogger;
  /** Removes secrets from what an upstream or a plugin said, and cuts it to what a client is shown. */
  readonly redact: (text: string) => string;
}

/** The bounds of one request; times in ms, sizes in bytes. */
export interface GatewayLimits {
  readonly maxBody: number;
  readonly earlyHeaders: number;
  /** The longest silence of a stream before a comment line. */
  readonly heartbeat: number;
  /** The longest silence of a client that is sending its body. */
  readonly bodyIdle: number;
  /** The longest a body may take in all. */
  readonly bodyTotal: number;
}
