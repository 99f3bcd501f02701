import { Database } from "bun:sqlite";
import { join } from "node:path";
import { describe, expect, test } from "bun:test";
import type { RunningGateway } from "../support/gateway.ts";
import { startGateway } from "../support/gateway.ts";
import { until } from "../support/until.ts";

/**
 * Waiting for a credential is nobody's fault, and has a deadline of its own.
 * @module
 */
const POOLED = await Bun.file(new URL("../support/pooled-plugin.ts", import.meta.url)).text();

/** One failure would open a circuit, and nothing is tried twice at one target. */
const STRICT = "retry: { attempts: 2, backoff: 1ms }\nhealth: { failures: 1 }\n";

function start(timeouts: object, { yaml = "", stuck = false } = {}): Promise<RunningGateway> {
  const upstream = { plugin: "./pooled.ts", options: { stuck }, timeouts };
  const other = '  other: { plugin: echo, options: { models: ["other"] } }\n';
  return startGateway(`upstreams:\n  pooled: ${JSON.stringify(upstream)}\n${other}${yaml}${STRICT}`, {
    files: { "pooled.ts": POOLED },
  });
}

function ask(gateway: RunningGateway, model: string, init: { stream?: boolean; signal?: AbortSignal } = {}) {
  const { stream = false, signal } = init;
  const body = { model, stream, messages: [{ role: "user", content: "Well?" }] };
  return gateway.chat(body, signal ? { signal } : {});
}

/** Has the only credential taken until it is disposed. */
async function taken(gateway: RunningGateway): Promise<Disposable> {
  const leaving = new AbortController();
  const held = await ask(gateway, "held", { stream: true, signal: leaving.signal });
  expect(held.status).toBe(200);
  // A response that nobody holds is collected, and its connection closed.
  return Object.assign(held, { [Symbol.dispose]: () => leaving.abort() });
}

function waiting(gateway: RunningGateway): unknown {
  const status = gateway.gateway.upstreams.get("pooled")?.upstream.status?.();
  return (status as { waiting?: number } | undefined)?.waiting;
}

/** The ledger's row of the request that has waited, once its end is booked. */
async function bookedRow(gateway: RunningGateway): Promise<{ queue_ms: number; total_ms: number }> {
  using database = new Database(join(gateway.directory, "data/modelyard.db"));
  const query = database.query(
    "SELECT queue_ms, total_ms FROM requests WHERE model = 'quick' AND outcome = 'ok'",
  );
  await until(() => {
    gateway.gateway.ledger.flush();
    return query.get() !== null;
  }, "the row of the request");
  return query.get() as { queue_ms: number; total_ms: number };
}

async function metric(gateway: RunningGateway, line: string): Promise<string | undefined> {
  const text = await (await fetch(`${gateway.url}/metrics`)).text();
  return text.split("\n").find((each) => each.startsWith(line));
}

describe.each([true, false])("a request that waits for a credential (streamed: %p)", (stream) => {
  test("waits longer than first_event, and says for how long it did", async () => {
    await using gateway = await start({ queue: "20s", first_event: "50ms" });
    const holder = await taken(gateway);
    const waited = ask(gateway, "quick", { stream });
    await until(() => waiting(gateway) === 1, "the request to wait");
    await Bun.sleep(150);
    holder[Symbol.dispose]();
    const response = await waited;
    expect(response.status).toBe(200);
    expect(await response.text()).toContain("served");
    expect(Number(response.headers.get("x-modelyard-queue-ms"))).toBeGreaterThanOrEqual(150);
    const row = await bookedRow(gateway);
    expect(row.queue_ms).toBeGreaterThanOrEqual(150);
    expect(row.queue_ms).toBeLessThanOrEqual(row.total_ms);
    const counted = await metric(gateway, 'modelyard_queue_seconds_count{upstream="pooled"');
    expect(counted).toEndWith(" 1");
  });

  test("is told 503 `overloaded` after timeouts.queue, and rests nobody", async () => {
    await using gateway = await start({ queue: "50ms", first_event: "20s" });
    const holder = await taken(gateway);
    for (let time = 0; time < 3; time++) {
      const response = await ask(gateway, "quick", { stream });
      expect(response.status).toBe(503);
      expect(Number(response.headers.get("retry-after"))).toBeGreaterThan(0);
      expect(Number(response.headers.get("x-modelyard-queue-ms"))).toBeGreaterThanOrEqual(49);
      const message =
        'the upstream "pooled" had no free credential for 0.05 s (timeouts.queue); try again later';
      expect(await response.json()).toMatchObject({ error: { code: "overloaded", message } });
    }
    expect(await metric(gateway, 'modelyard_circuit_state{target="pooled/quick"')).toContain('"closed"');
    holder[Symbol.dispose]();
    expect(await (await ask(gateway, "quick", { stream })).text()).toContain("served");
  });

  test("goes to the next target after timeouts.queue", async () => {
    const routes =
      "routes: [{ model: m, targets: [{ upstream: pooled, model: quick }, { upstream: other, model: other }] }]\n";
    await using gateway = await start({ queue: "50ms" }, { yaml: routes });
    using _holder = await taken(gateway);
    const response = await ask(gateway, "m", { stream });
    expect(response.status).toBe(200);
    expect(response.headers.get("x-modelyard-upstream")).toBe("other");
    await response.text();
  });

  test("is not blamed on the upstream when timeouts.total is the shorter one", async () => {
    await using gateway = await start({ queue: "20s", total: "50ms" }, { stuck: true });
    const response = await ask(gateway, "quick", { stream });
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({ error: { code: "overloaded" } });
    expect(await metric(gateway, 'modelyard_circuit_state{target="pooled/quick"')).toContain('"closed"');
  });
});

test("a request that is served at once has not waited", async () => {
  await using gateway = await start({ queue: "20s" });
  const first = await ask(gateway, "quick");
  await first.text();
  const response = await ask(gateway, "quick");
  expect(response.headers.get("x-modelyard-queue-ms")).toBeNull();
  await response.text();
});
