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

/** The services of one configuration, which the pipeline's steps use. */
export interface Gateway {
  readonly limits: GatewayLimits;
  readonly keyring: Keyring;
  readonly upstreams: ReadonlyMap<string, OpenUpstream>;
  readonly catalog: ModelCatalog;
  readonly routes: RouteTable;
  readonly targets: TargetStates;
  readonly retry: RetrySettings;
  readonly bodies: ByteBudget;
  /** Undefined if it is turned off. */
  readonly cache: ResponseCache | undefined;
  /** What is kept for `previous_response_id`; undefined where that is turned off. */
  readonly kept: TextStore | undefined;
  /** Limits of keys, by name. */
  readonly limiter: RateLimiter;
  /** Limits of upstreams, by name. */
  readonly upstreamLimiter: RateLimiter;
  readonly budgets: Budgets;
  readonly prices: PriceBook;
  readonly ledger: Ledger;
  /** Reads past usage from the ledger. */
  readonly usage: LedgerReader;
  readonly settlements: PendingSettlements;
  readonly metrics: RequestMetrics;
  /** Tokens reserved for an answer whose request doesn't bound it. */
  readonly outputEstimate: number;
  readonly inFlight: InFlightRequests;
  readonly tokens: TokenCounter;
  /** Caches response headers, most of which repeat. */
  readonly headers: HeadersCache;
  readonly log: GatewayLogger;
  /** Masks secrets in an upstream's or plugin's message and truncates it. */
  readonly redact: (text: string) => string;
}

/** Bounds of one request; times in ms, sizes in bytes. */
export interface GatewayLimits {
  readonly maxBody: number;
  readonly earlyHeaders: number;
  /** Longest silence of a stream before a keep-alive comment. */
  readonly heartbeat: number;
  /** Longest silence of a client that sends its body. */
  readonly bodyIdle: number;
  /** Longest time for a whole body. */
  readonly bodyTotal: number;
}
