import { expect, test } from "bun:test";
import { join } from "node:path";
import { CodeProcess, GatewayFolder, startMain } from "../support/gateway-process.ts";
import { Random } from "../support/random.ts";
import { until } from "../support/until.ts";
import type { Row } from "../promises/chaos-books.ts";
import { disagreements, rowsIn } from "../promises/chaos-books.ts";
import { keyOf, send } from "../promises/chaos-client.ts";
import type { ChaosRequest } from "../promises/chaos-request.ts";
import { chaosRequest } from "../promises/chaos-request.ts";
import { startChaosUpstream } from "../promises/chaos-upstream.ts";

/**
 * What is booked is what happened: after a run with everything that can go wrong, and one `kill -9` in the middle of
 * it, the books balance, and agree to the token with what both ends of each request have seen.
 * @module
 */
const REQUESTS = 5_000;
const AT_ONCE = 150;
const ENVIRONMENT = { BUN_CONFIG_MAX_HTTP_REQUESTS: "65535" };

const LIMITED: Readonly<Record<string, object>> = {
  free: {},
  minute: { limits: { requests_per_minute: 100 } },
  narrow: { limits: { concurrent_requests: 2 } },
  tokens: { limits: { tokens_per_minute: 2_000 } },
  budget: { budget: { tokens: 1_000, per: "day" } },
};

function yamlFor(url: string): string {
  const keys = Object.entries(LIMITED).map(([name, more]) => ({ name, key: keyOf(name), ...more }));
  const openai = { plugin: "openai", options: { base_url: `${url}/v1`, models: ["m"] } };
  return [
    "server: { port: 0 }",
    "telemetry: { level: error }",
    "storage: { database: 'sqlite:./ledger.db' }",
    "health: { failures: 1000000 }",
    `keys: ${JSON.stringify(keys)}`,
    `upstreams: ${JSON.stringify({ chaos: openai })}`,
  ].join("\n");
}

test("after 5,000 requests in chaos and a kill -9 the books balance, and agree with what was sent and read", async () => {
  const seed = Date.now() % 1_000_000;
  console.log(`chaos: seed ${seed}`);
  const random = new Random(seed);
  const requests = Array.from({ length: REQUESTS }, (_, nth) => chaosRequest(nth, random));
  await using upstream = await startChaosUpstream(new Map(requests.map((request) => [request.id, request])));
  using folder = new GatewayFolder(yamlFor(upstream.url));
  const killed = await runThroughKill(requests, folder);

  const audit = await auditOf(folder);
  expect([audit.code, audit.stderr, audit.stdout]).toEqual([0, "", expect.stringContaining("balance.")]);
  const rows = rowsIn(join(folder.path, "ledger.db"));
  expectOneRowEach(requests, rows);
  expectNoLoss(requests, rows, killed);
  const wrong = requests.flatMap((request) => disagreements(request, rows.get(request.id)));
  expect(wrong.slice(0, 10)).toEqual([]);
  expectChaos(requests, rows);
}, 120_000);

/**
 * Sends all requests, so many at once; when half of them have ended the gateway is killed and started again. Returns when
 * that was, by `performance.now()`.
 */
async function runThroughKill(requests: readonly ChaosRequest[], folder: GatewayFolder): Promise<number> {
  await using first = startMain(folder, ENVIRONMENT);
  let address = first.listening();
  const queue = requests.values();
  let ended = 0;
  const client = async () => {
    for (const request of queue) {
      await send(request, await address);
      ended += 1;
    }
  };
  const clients = Promise.all(Array.from({ length: AT_ONCE }, client));
  await until(() => ended > REQUESTS / 2, "half of the requests to end", 60_000);
  const second = Promise.withResolvers<string>();
  address = second.promise;
  const at = performance.now();
  first.signal("SIGKILL");
  await first.ended();
  await using gateway = startMain(folder, ENVIRONMENT);
  second.resolve(gateway.listening());
  await clients;
  gateway.signal("SIGTERM");
  const { code, stderr } = await gateway.ended();
  expect([code, stderr]).toEqual([0, ""]);
  return at;
}

async function auditOf(folder: GatewayFolder) {
  await using command = new CodeProcess("src/cli/main.ts", ["audit", "--config", folder.config]);
  return await command.ended();
}

/** Whoever reached the upstream has a row, whoever was refused has none. */
function expectOneRowEach(requests: readonly ChaosRequest[], rows: ReadonlyMap<string, Row>): void {
  const refused = requests.filter(({ seen }) => !seen.asked && (seen.status === 429 || seen.status === 404));
  expect(refused.filter(({ id }) => rows.has(id))).toEqual([]);
  const wrongly = requests.filter(({ model, id }) => model === "unknown" && rows.has(id));
  expect(wrongly).toEqual([]);
}

/** Whoever was told an end before the kill has a row with that end. */
function expectNoLoss(
  requests: readonly ChaosRequest[],
  rows: ReadonlyMap<string, Row>,
  killed: number,
): void {
  const asked = requests.filter(({ seen }) => seen.asked);
  const missing = asked.filter(({ id }) => !rows.has(id));
  const told = asked.filter(({ seen }) => seen.endedAt < killed && seen.end === "read");
  const unclosed = told.filter(({ id }) => rows.get(id)?.outcome === "crashed");
  const crashed = [...rows.values()].filter(({ outcome }) => outcome === "crashed").length;
  console.log(
    `kill -9: ${missing.length} requests without a row, ${crashed} booked as crashed, ${unclosed.length} of them had ended`,
  );
  expect(missing.map(({ id }) => id)).toEqual([]);
  expect(unclosed.map(({ id }) => id)).toEqual([]);
  expect(crashed).toBeGreaterThan(0);
}

/** That all of it has happened, or else it proves nothing. */
function expectChaos(requests: readonly ChaosRequest[], rows: ReadonlyMap<string, Row>): void {
  const outcomes: Record<string, number> = {};
  const count = (what: string) => (outcomes[what] = (outcomes[what] ?? 0) + 1);
  for (const { outcome, cache } of rows.values()) {
    count(outcome);
    if (cache === "hit" || cache === "follow") count(cache);
  }
  for (const { seen } of requests) if (seen.status === 429 && !seen.asked) count("refused");
  console.log(`${rows.size} rows of ${requests.length} requests: ${JSON.stringify(outcomes)}`);
  for (const what of [
    "ok",
    "client_abort",
    "upstream_error",
    "truncated",
    "crashed",
    "refused",
    "hit",
    "follow",
  ]) {
    expect([what, (outcomes[what] ?? 0) > 0]).toEqual([what, true]);
  }
}
