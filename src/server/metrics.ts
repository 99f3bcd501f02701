import { counterLines, gaugeLines } from "../telemetry/metrics.ts";
import type { Reading } from "../telemetry/metrics.ts";
import type { Json, JsonObject } from "../contract/index.ts";
import { isObject } from "../contract/json.ts";
import type { Gateway } from "../gateway.ts";
import { isKnownModel } from "../targets/known-models.ts";
import type { RequestMetrics } from "../telemetry/request-metrics.ts";
import type { ResponseCache } from "../cache/response-cache.ts";

/** What is told of a gateway. */
export interface MetricsSources extends Pick<
  Gateway,
  | "bodies"
  | "settlements"
  | "cache"
  | "inFlight"
  | "catalog"
  | "limiter"
  | "routes"
  | "targets"
  | "upstreamLimiter"
  | "upstreams"
> {
  readonly metrics: RequestMetrics;
  /** Rows that wait to be written, requests for whose rows there was no room, and writes ahead that have failed. */
  readonly ledger: { readonly pending: number; readonly dropped: number; readonly failures: number };
}

/** How deep in an upstream's status the states of a pool are looked for. */
const DEEPEST = 3;

/** GET /metrics: Prometheus' text format. It needs no key, so it must not be let out (deploy/nginx.conf). */
export function metricsPage(_: Request, gateway: MetricsSources): Response {
  const { cache, metrics } = gateway;
  const lines = [
    ...metrics.lines(),
    ...work(gateway),
    ...limiters(gateway),
    ...(cache ? contents(cache) : []),
    ...upstreamStates(gateway),
  ];
  return new Response(`${lines.join("\n")}\n`, {
    headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8" },
  });
}

function* work({ bodies, settlements, inFlight, ledger }: MetricsSources): Generator<string> {
  yield* single("modelyard_requests_in_flight", "Requests in flight.", inFlight.running);
  yield* single("modelyard_request_bodies_bytes", "Request bodies in memory.", bodies.used);
  yield* single("modelyard_ledger_pending_rows", "Ledger rows that are not written yet.", ledger.pending);
  yield* single(
    "modelyard_ledger_dropped_rows",
    "Requests without a ledger row, because too many were pending.",
    ledger.dropped,
  );
  const failed = {
    name: "modelyard_ledger_failed_writes_total",
    help: "Failed writes of the ledger's write-ahead log.",
  };
  yield* counterLines(failed, [{ labels: {}, value: ledger.failures }]);
  yield* single(
    "modelyard_pending_bookings",
    "Ended requests whose tokens are not counted yet.",
    settlements.pending,
  );
  yield* single("process_resident_memory_bytes", "Resident memory.", process.memoryUsage.rss());
}

function* limiters({ limiter, upstreamLimiter }: MetricsSources): Generator<string> {
  const both = Object.entries({ keys: limiter, upstreams: upstreamLimiter });
  const open = { name: "modelyard_limit_open_slots", help: "Concurrency permits that are held." };
  yield* gaugeLines(
    open,
    both.map(([of, { running }]) => ({ labels: { of }, value: running })),
  );
  const known = { name: "modelyard_limit_subjects", help: "Keys and upstreams with recent requests." };
  yield* gaugeLines(
    known,
    both.map(([of, { size }]) => ({ labels: { of }, value: size })),
  );
}

function* contents({ count, evicted, coalescer, size }: ResponseCache): Generator<string> {
  yield* single("modelyard_cache_entries", "Answers in the response cache.", count);
  yield* single("modelyard_cache_bytes", "Memory of the response cache.", size);
  const evictions = {
    name: "modelyard_cache_evictions_total",
    help: "Answers that were evicted from the response cache.",
  };
  yield* counterLines(evictions, [{ labels: {}, value: evicted }]);
  yield* single("modelyard_flights", "Running upstream calls that requests can share.", coalescer.running);
  yield* single("modelyard_flights_bytes", "Memory of the answers of running shared calls.", coalescer.size);
}

function* upstreamStates(measured: MetricsSources): Generator<string> {
  const { targets, upstreams } = measured;
  const circuits = {
    name: "modelyard_circuit_state",
    help: "State of a target's circuit breaker: 1 for the current state.",
  };
  // Clients make names up: a closed circuit is told only where the model is known.
  const states = [...targets.circuits()]
    .filter(({ target, state }) => state !== "closed" || isKnownModel(target, measured))
    .map(({ target, state }) => ({ labels: { target, state }, value: 1 }));
  yield* gaugeLines(circuits, states);
  const pools = { name: "modelyard_pool_credentials", help: "An upstream's credentials by state." };
  const statuses = [...upstreams.values()].map(({ id, upstream }) => ({
    id,
    status: poolIn(statusOf(upstream)),
  }));
  const readings = (part: string, label: string) =>
    statuses.flatMap(({ id, status }) => numbersOf(status?.[part], { upstream: id, label }));
  yield* gaugeLines(pools, readings("states", "state"));
  const retired = {
    name: "modelyard_pool_retired_credentials_total",
    help: "Credentials that an upstream rejected permanently.",
  };
  yield* counterLines(retired, readings("retired", "origin"));
}

function single(name: string, help: string, value: number): Generator<string> {
  return gaugeLines({ name, help }, [{ labels: {}, value }]);
}

/** A stranger's plugin may fail here; that is no reason to have no metrics. */
function statusOf(upstream: { status?(): Json }): Json {
  try {
    return upstream.status?.() ?? null;
  } catch {
    return null;
  }
}

/** The status of the credential pool in an upstream's status: it has `states`. */
function poolIn(status: Json, depth = 0): JsonObject | undefined {
  if (!isObject(status) || depth > DEEPEST) return undefined;
  if (isObject(status["states"])) return status;
  for (const part of Object.values(status)) {
    const found = poolIn(part ?? null, depth + 1);
    if (found) return found;
  }
  return undefined;
}

function numbersOf(
  counts: Json | undefined,
  { upstream, label }: { readonly upstream: string; readonly label: string },
): Reading[] {
  if (!isObject(counts)) return [];
  return Object.entries(counts).flatMap(([name, value]) =>
    typeof value === "number" ? [{ labels: { upstream, [label]: name }, value }] : [],
  );
}
