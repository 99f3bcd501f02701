import { expect, test } from "bun:test";
import type { Upstream } from "../contract/index.ts";
import { PendingSettlements } from "../ledger/pending-settlements.ts";
import { ByteBudget } from "../limits/byte-budget.ts";
import { InFlightRequests } from "../telemetry/in-flight-requests.ts";
import { EventBuffer } from "../cache/event-buffer.ts";
import { RequestMetrics } from "../telemetry/request-metrics.ts";
import { ModelCatalog } from "../targets/model-catalog.ts";
import type { OpenUpstream } from "../targets/open-upstream.ts";
import { RateLimiter } from "../limits/rate-limiter.ts";
import { ResponseCache } from "../cache/response-cache.ts";
import { RouteTable } from "../targets/route-table.ts";
import { TargetStates } from "../targets/target-states.ts";
import { SILENT } from "../../test/support/ledger.ts";
import type { MetricsSources } from "./metrics.ts";
import { metricsPage } from "./metrics.ts";

function upstreamOf(id: string, status: NonNullable<Upstream["status"]>): OpenUpstream {
  return {
    id,
    plugin: "any",
    upstream: {
      models: () => Promise.resolve([]),
      async *chat() {
        yield { type: "finish", reason: "stop" };
      },
      status,
    },
    models: undefined,
    timeouts: { queue: 1, connect: 1, first_event: 1, idle: 1, total: 1 },
    close: () => Promise.resolve(),
  };
}

/** A gateway in which nothing has happened, but for what is given. */
function gatewayWith(part: Partial<MetricsSources>): MetricsSources {
  return {
    bodies: new ByteBudget(100),
    settlements: new PendingSettlements(SILENT),
    cache: undefined,
    inFlight: new InFlightRequests(),
    ledger: { pending: 3, dropped: 0, failures: 0 },
    limiter: new RateLimiter(),
    metrics: new RequestMetrics(() => true),
    catalog: new ModelCatalog([], SILENT),
    routes: new RouteTable([], new Map(), () => false),
    targets: new TargetStates({ health: { window: 1e4, failures: 1, cooldown: 1e4 }, retryShare: 0.2 }),
    upstreamLimiter: new RateLimiter(),
    upstreams: new Map(),
    ...part,
  };
}

async function linesOf(part: Partial<MetricsSources>): Promise<string[]> {
  const response = metricsPage(new Request("http://localhost/metrics"), gatewayWith(part));
  expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  return (await response.text()).split("\n");
}

/** A request that comes to a target for the first time. */
const FIRST = { isRepeat: { target: false, upstream: false }, isLastResort: false, body: () => 1 };

test("states of circuits and pools are read when somebody asks, and a status that fails is left out", async () => {
  const pooled = upstreamOf("pooled", () => ({ credentials: { states: { fresh: 2, dead: 1 }, waiting: 0 } }));
  const broken = upstreamOf("broken", () => {
    throw new Error("no");
  });
  const targets = new TargetStates({ health: { window: 1e4, failures: 1, cooldown: 1e4 }, retryShare: 0.2 });
  targets.enter({ upstream: pooled, model: "m", weight: 1 }, FIRST)?.end({ code: "unavailable" });
  const upstreams = new Map([
    ["pooled", pooled],
    ["broken", broken],
  ]);
  const lines = await linesOf({ targets, upstreams });
  expect(lines).toContain('modelyard_circuit_state{target="pooled/m",state="open"} 1');
  expect(lines).toContain('modelyard_pool_credentials{upstream="pooled",state="fresh"} 2');
  expect(lines).toContain("modelyard_ledger_pending_rows 3");
  expect(lines.filter((line) => line.includes("broken"))).toEqual([]);
  expect(lines.at(-1)).toBe("");
});

test("requests that hold a place in a limit are counted as long as they do, keys apart from upstreams", async () => {
  const limiter = new RateLimiter();
  const places = ["key alice", "key bob", "key bob"].map((id) => limiter.admit({ id, limits: {} }, 0));
  const held = await linesOf({ limiter });
  expect(held).toContain('modelyard_limit_open_slots{of="keys"} 3');
  expect(held).toContain('modelyard_limit_open_slots{of="upstreams"} 0');
  expect(held).toContain('modelyard_limit_subjects{of="keys"} 2');
  for (const place of places) if (!("limit" in place)) place[Symbol.dispose]();
  expect(await linesOf({ limiter })).toContain('modelyard_limit_open_slots{of="keys"} 0');
});

test("the cache tells what is in it and what had to go, and nothing where it is off", async () => {
  const settings = { max_size: 2_000, max_entry: 1_000, ttl: 60_000, mode: "all", scope: "key" } as const;
  const cache = new ResponseCache(settings);
  const by = { upstream: "one", upstreamModel: "m", attempts: 1, ignored: [] };
  for (const key of ["first", "second", "third"]) cache.set(key, by, new EventBuffer());
  const lines = await linesOf({ cache });
  expect(lines).toContain("modelyard_cache_entries 2");
  expect(lines).toContain(`modelyard_cache_bytes ${cache.size}`);
  expect(lines).toContain("# TYPE modelyard_cache_evictions_total counter");
  expect(lines).toContain("modelyard_cache_evictions_total 1");
  expect(lines).toContain("modelyard_flights 0");
  expect((await linesOf({})).join("\n")).not.toContain("modelyard_cache_entries");
});

test("requests whose tokens are still to be counted are told", async () => {
  const settlements = new PendingSettlements(SILENT);
  const counted = Promise.withResolvers<void>();
  settlements.add(counted.promise);
  expect(await linesOf({ settlements })).toContain("modelyard_pending_bookings 1");
  counted.resolve();
  await settlements.settled();
  expect(await linesOf({ settlements })).toContain("modelyard_pending_bookings 0");
});
