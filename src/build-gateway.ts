import { resolve } from "node:path";
import type { LoadedConfig } from "../config/load.ts";
import type { Prices } from "../config/prices.ts";
import { loadPrices } from "../config/prices.ts";
import { ConfigError } from "../config/problem.ts";
import type { BudgetSettings, KeySettings, Settings } from "../config/settings.ts";
import type { JsonObject } from "./contract/index.ts";
import type { PlannedUpstream, HostDeps } from "./host/open-upstream.ts";
import type { OpenUpstreams } from "./host/open-upstreams.ts";
import { openUpstreams } from "./host/open-upstreams.ts";
import type { UnloadableUpstream } from "./host/plan-upstreams.ts";
import { planUpstreams } from "./host/plan-upstreams.ts";
import type { GatewayLogger } from "./log.ts";
import { PendingSettlements } from "./ledger/pending-settlements.ts";
import { Budgets } from "./limits/budgets.ts";
import { ByteBudget } from "./limits/byte-budget.ts";
import { InFlightRequests } from "./telemetry/in-flight-requests.ts";
import type { Gateway } from "./gateway.ts";
import { KeyCache } from "./keys/key-cache.ts";
import type { KeySnapshot, StoredKey } from "./keys/keyring.ts";
import { hashKey, Keyring } from "./keys/keyring.ts";
import { Ledger } from "./ledger/ledger.ts";
import { isKnownModel } from "./targets/known-models.ts";
import { RequestMetrics } from "./telemetry/request-metrics.ts";
import { ModelCatalog } from "./targets/model-catalog.ts";
import { PriceBook } from "./usage/prices.ts";
import { RateLimiter } from "./limits/rate-limiter.ts";
import { openResponseCache } from "./cache/response-cache.ts";
import { openTextStore } from "./cache/text-store.ts";
import { HeadersCache } from "./runtime/headers-cache.ts";
import { RouteTable } from "./targets/route-table.ts";
import type { CircuitChange } from "./targets/attempt-permit.ts";
import { TargetStates } from "./targets/target-states.ts";
import { TokenCounter } from "./usage/token-counter.ts";

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
const HEARTBEAT_MS = 15_000;
const BODY_IDLE_MS = 30_000;
const BODY_TOTAL_MS = 5 * 60_000;

/** A valid configuration with loaded plugins and checked options; no upstream is open yet. */
export interface StartupPlan {
  readonly settings: Settings;
  readonly upstreams: readonly PlannedUpstream[];
  /** Optional upstreams whose plugins can't be loaded. */
  readonly unloadable: readonly UnloadableUpstream[];
  readonly prices: Prices;
  /** Secret values, to be masked. */
  readonly secrets: readonly string[];
}

/** A gateway with its upstreams open. */
export interface BuiltGateway extends Gateway {
  /** Starts the upstreams' background work. */
  start(): Promise<void>;
  /** Closes the upstreams; requests must have ended. */
  close(): Promise<void>;
}

/** Loads the plugins and the prices, and checks the plugins' options. Throws a ConfigError with every mistake of the file. */
export async function plan(config: LoadedConfig): Promise<StartupPlan> {
  const { settings, directory } = config;
  const { problems: found, ...planned } = await planUpstreams(config);
  const { prices, problems: mispriced } = await loadPrices(
    settings?.prices === undefined ? undefined : resolve(directory, settings.prices),
    config.document,
  );
  const problems = [...config.problems, ...found, ...mispriced];
  if (problems.length > 0 || !settings) throw new ConfigError(problems);
  return { ...planned, prices, settings, secrets: [...config.secrets, ...planned.secrets] };
}

/**
 * Opens every upstream of a plan. Throws a StartupError, with none left open, when one can't be. `tokens` belongs to the
 * caller: its tables take half a second to load, and one does for all gateways of a process.
 */
export async function build(
  plan: StartupPlan,
  deps: HostDeps,
  tokens = new TokenCounter(deps.log),
): Promise<BuiltGateway> {
  const { settings } = plan;
  const { log, storage, redactor } = deps;
  for (const secret of plan.secrets) redactor.addLasting(secret);
  const opened = await openUpstreams(plan, deps);
  const upstreams = opened.byId;
  const catalog = new ModelCatalog(upstreams.values(), log);
  const routes = new RouteTable(settings.routes, upstreams, (upstream, model) =>
    catalog.lists(upstream, model),
  );
  const snapshot = await storage.keys.snapshot();
  const { limits: defaults } = settings.key_defaults;
  const keyCache = new KeyCache(snapshot, { source: storage.keys, defaults, log });
  const ledger = new Ledger(storage.ledger, { log, retention: settings.storage.retention });
  const settlements = new PendingSettlements(log);
  return {
    limits: limitsOf(settings),
    keyring: keyringOf(settings, keyCache, deps),
    upstreams,
    catalog,
    routes,
    targets: new TargetStates({
      health: settings.health,
      retryShare: settings.retry.budget,
      onCircuitChange: (change) => reportCircuit(log, change),
    }),
    retry: settings.retry,
    bodies: new ByteBudget(settings.server.max_bodies),
    cache: openResponseCache(settings.cache),
    kept: openTextStore(settings.responses),
    inFlight: new InFlightRequests(),
    limiter: await limiterOf(settings, snapshot, deps),
    upstreamLimiter: new RateLimiter({ onLeak: (upstream) => reportForgotten(log, { upstream }) }),
    budgets: new Budgets({
      spentSince: (key, since) => storage.ledger.spentSince(key, since),
      onThreshold: (key, budget, share) => warnOfBudget(log, { key, budget, share }),
    }),
    prices: new PriceBook(plan.prices),
    ledger,
    usage: storage.ledger,
    settlements,
    metrics: new RequestMetrics((model) => isKnownModel(model, { routes, catalog })),
    outputEstimate: settings.key_defaults.output_estimate,
    tokens,
    headers: new HeadersCache(),
    log,
    redact: redactor.message,
    start() {
      keyCache.watch();
      return opened.start();
    },
    close: () => closeAll({ opened, keyCache, settlements, ledger }),
  };
}

interface Closables {
  readonly opened: OpenUpstreams;
  readonly keyCache: KeyCache;
  readonly settlements: PendingSettlements;
  readonly ledger: Ledger;
}

async function closeAll({ opened, keyCache, settlements, ledger }: Closables): Promise<void> {
  keyCache.close();
  // In parallel to the counting, which may take long: late clean-ups at upstreams cost money.
  const closed = opened.close();
  await settlements.settled();
  try {
    ledger.close();
  } finally {
    await closed;
  }
}

function keyringOf(
  { keys, key_defaults: { limits: defaults } }: Settings,
  keyCache: KeyCache,
  { redactor }: HostDeps,
): Keyring {
  return new Keyring({
    configured: keys.map(storedKey),
    made: keyCache,
    defaults,
    onFirstUse: (key) => redactor.addLasting(key),
  });
}

function limitsOf({ server }: Settings): Gateway["limits"] {
  return {
    maxBody: server.max_body,
    earlyHeaders: server.early_headers,
    heartbeat: HEARTBEAT_MS,
    bodyIdle: BODY_IDLE_MS,
    bodyTotal: BODY_TOTAL_MS,
  };
}

function reportCircuit(log: GatewayLogger, { target, state, cause, ms }: CircuitChange): void {
  if (state === "open") log.warn("circuit opened", { target, cause, ms });
  else log.info("circuit closed", { target });
}

/** Returns the rate limiter of keys, restored from the ledger, so that a restart resets no window. */
async function limiterOf(
  { keys, key_defaults: { limits: defaults } }: Settings,
  { keys: made }: KeySnapshot,
  { log, storage }: HostDeps,
): Promise<RateLimiter> {
  const limiter = new RateLimiter({ onLeak: (key) => reportForgotten(log, { key }) });
  const now = Date.now();
  // Reading a whole day is needed only for daily limits.
  const countsDays = [{ limits: defaults }, ...keys, ...made].some(
    ({ limits }) => limits.requests_per_day !== undefined,
  );
  const since = now - (countsDays ? DAY_MS : MINUTE_MS);
  for await (const { key, at, tokens } of storage.ledger.admissionsSince(since)) {
    limiter.restore(key, { ago: now - at, tokens });
  }
  return limiter;
}

function reportForgotten(log: GatewayLogger, of: JsonObject): void {
  log.error("a concurrency permit leaked and was reclaimed; please report this", of);
}

function warnOfBudget(
  log: GatewayLogger,
  { key, budget, share }: { readonly key: string; readonly budget: BudgetSettings; readonly share: number },
): void {
  log.warn(share < 1 ? "budget of a key nearly spent" : "budget of a key spent", {
    key,
    ...budget,
    spent: `${Math.floor(share * 100)}%`,
  });
}

function storedKey({ name, key, key_sha256: hash, models, expires, limits, budget }: KeySettings): StoredKey {
  return { name, hash: hash ?? hashKey(key ?? ""), models, expires, limits, budget };
}
