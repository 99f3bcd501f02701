import { expect, test } from "bun:test";
import type { Several, SeveralGateway } from "../support/several-gateway.ts";
import { startSeveral } from "../support/several-gateway.ts";
import { until } from "../support/until.ts";

/**
 * Retries help one request, and must not become a storm over an upstream that is down for all of them.
 * @module
 */
const FAILS = [{ fail: "unavailable", message: "nobody is at home" }] as const;
const DEAD: Several = { answers: { m: FAILS, other: FAILS } };
const REQUESTS = 500;
const AT_ONCE = 50;
/** Circuits stay closed, so that the retry budget alone is seen at work. */
const RETRY = "retry: { attempts: 3, backoff: 1ms, budget: 20% }\nhealth: { failures: 1000000 }\n";

function routeTo(targets: readonly unknown[]): string {
  return `routes: ${JSON.stringify([{ model: "m", targets }])}\n${RETRY}`;
}

async function statusOf(gateway: SeveralGateway): Promise<number> {
  const response = await gateway.chat({ model: "m", messages: [{ role: "user", content: "Well?" }] });
  await response.text();
  return response.status;
}

async function askMany(gateway: SeveralGateway): Promise<void> {
  const left = Array.from({ length: REQUESTS }).values();
  const workers = Array.from({ length: AT_ONCE }, async () => {
    for (const _ of left) expect(await statusOf(gateway)).toBe(503);
  });
  await Promise.all(workers);
}

test("a dead upstream gets at most a fifth more calls than requests, and three", async () => {
  await using gateway = await startSeveral({ dead: DEAD }, routeTo(["dead"]));
  await askMany(gateway);
  const { begun } = gateway.status("dead");
  console.log(`${REQUESTS} requests to a dead upstream: ${begun} calls (without a budget: ${3 * REQUESTS})`);
  expect(begun).toBeLessThanOrEqual(1.2 * REQUESTS + 3);
  // The budget is there to be used.
  expect(begun).toBeGreaterThan(1.1 * REQUESTS);
});

test("nor more by another name: a second model of an upstream that has just failed is a retry of it", async () => {
  const targets = ["dead", { upstream: "dead", model: "other" }];
  await using gateway = await startSeveral({ dead: DEAD }, routeTo(targets));
  await askMany(gateway);
  const { begun } = gateway.status("dead");
  console.log(`${REQUESTS} requests to two models of a dead upstream: ${begun} calls`);
  expect(begun).toBeLessThanOrEqual(1.2 * REQUESTS + 3);
});

test("the first try of another upstream costs nothing of any budget", async () => {
  await using gateway = await startSeveral({ dead: DEAD, deader: DEAD }, routeTo(["dead", "deader"]));
  await askMany(gateway);
  const { dead = 0, deader = 0 } = gateway.calls();
  console.log(`${REQUESTS} requests to two dead upstreams: ${dead} and ${deader} calls`);
  expect(deader).toBeGreaterThanOrEqual(REQUESTS);
  expect(Math.max(dead, deader)).toBeLessThanOrEqual(1.2 * REQUESTS + 3);
});

test("an idle gateway with one upstream retries all the same, and three times in all", async () => {
  await using gateway = await startSeveral({ dead: DEAD }, routeTo(["dead"]));
  const calls: number[] = [];
  for (let i = 0; i < 3; i++) {
    await statusOf(gateway);
    calls.push(gateway.status("dead").begun);
  }
  expect(calls).toEqual([3, 5, 6]);
});

test("a request that gets no retry is answered at once, and not after the pause before it", async () => {
  const yaml = routeTo(["dead"]).replace("backoff: 1ms", "backoff: 1s");
  await using gateway = await startSeveral({ dead: DEAD }, yaml);
  // These take the three retries of an idle gateway, and wait for them for half a second at least.
  const waiting = Array.from({ length: 3 }, () => statusOf(gateway));
  await until(() => gateway.status("dead").begun === 3, "their first calls");
  await until(() => gateway.status("dead").running === 0, "their pauses");
  const began = performance.now();
  expect(await statusOf(gateway)).toBe(503);
  expect(performance.now() - began).toBeLessThan(400);
  expect(gateway.status("dead").begun).toBe(4);
  await Promise.all(waiting);
  expect(gateway.status("dead").begun).toBe(7);
});

test("with the circuit breaker, a dead upstream is hardly asked at all", async () => {
  const yaml = routeTo(["dead"]).replace("failures: 1000000", "failures: 5");
  await using gateway = await startSeveral({ dead: DEAD }, yaml);
  await askMany(gateway);
  const { begun } = gateway.status("dead");
  console.log(`${REQUESTS} requests to a dead upstream behind a circuit breaker: ${begun} calls`);
  // Those that were under way when it opened had begun before. It is the only target, so it is asked by one at a time.
  expect(begun).toBeLessThan(REQUESTS / 2);
});
