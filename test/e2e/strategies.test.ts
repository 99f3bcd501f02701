import { describe, expect, test } from "bun:test";
import { startFaultUpstream } from "../support/fault-upstream.ts";
import type { Exchange } from "../support/fault-upstream.ts";
import { openaiChunks, sseAnswer } from "../support/fault-upstream.ts";
import { forwardTo } from "../support/forward-gateway.ts";
import { closedGate } from "../support/gate.ts";
import type { RunningGateway } from "../support/gateway.ts";
import { startGateway } from "../support/gateway.ts";
import type { Step } from "../support/scripted-gateway.ts";
import { HELLO, say, stop } from "../support/scripted-gateway.ts";
import type { Several } from "../support/several-gateway.ts";
import { startSeveral } from "../support/several-gateway.ts";
import { until } from "../support/until.ts";

/**
 * Each strategy of a route, as its clients and its upstreams see it.
 * @module
 */
const SOUND: Several = { answers: { m: HELLO } };
const messages = [{ role: "user", content: "Well?" }];

function routeBy(strategy: string, targets: readonly unknown[]): string {
  return `routes: ${JSON.stringify([{ model: "m", strategy, targets }])}\n`;
}

async function upstreamOf(gateway: RunningGateway, more: object = {}, key = gateway.key): Promise<string> {
  const headers = { authorization: `Bearer ${key}` };
  const response = await gateway.chat({ model: "m", messages, ...more }, { headers });
  await response.text();
  return response.headers.get("x-modelyard-upstream") ?? `status ${response.status}`;
}

async function counts(
  times: number,
  ask: (index: number) => Promise<string>,
): Promise<Record<string, number>> {
  const counted: Record<string, number> = {};
  for (let i = 0; i < times; i++) {
    const id = await ask(i);
    counted[id] = (counted[id] ?? 0) + 1;
  }
  return counted;
}

/** Within five standard deviations of a binomial count: a true share fails this once in 1.7 million runs. */
function expectShare(count: number | undefined, times: number, share: number): void {
  const off = Math.abs((count ?? 0) - times * share);
  expect(off).toBeLessThanOrEqual(5 * Math.sqrt(times * share * (1 - share)));
}

test("failover asks the first as long as it answers", async () => {
  await using gateway = await startSeveral({ a: SOUND, b: SOUND }, routeBy("failover", ["b", "a"]));
  expect(await counts(20, () => upstreamOf(gateway))).toEqual({ b: 20 });
});

describe("weighted", () => {
  test("gives each target its share, and a stand-in none", async () => {
    const targets = [
      { upstream: "a", weight: 3 },
      { upstream: "b", weight: 1 },
      { upstream: "c", weight: 0 },
    ];
    await using gateway = await startSeveral({ a: SOUND, b: SOUND, c: SOUND }, routeBy("weighted", targets));
    const times = 800;
    const counted = await counts(times, () => upstreamOf(gateway));
    console.log(`weighted 3 : 1 : 0, ${times} requests: ${JSON.stringify(counted)}`);
    expectShare(counted["a"], times, 3 / 4);
    expectShare(counted["b"], times, 1 / 4);
    expect(counted["c"]).toBeUndefined();
  });

  test("lets the others, and the stand-in at last, answer for one that fails", async () => {
    const dead: Several = { answers: { m: [{ fail: "rejected", message: "wrong key" }] } };
    const targets = [{ upstream: "c", weight: 0 }, { upstream: "a", weight: 5 }, { upstream: "b" }];
    const yaml = `${routeBy("weighted", targets)}health: { failures: 1000000 }\n`;
    await using gateway = await startSeveral({ a: dead, b: dead, c: SOUND }, yaml);
    expect(await counts(20, () => upstreamOf(gateway))).toEqual({ c: 20 });
    expect(gateway.calls()).toEqual({ a: 20, b: 20, c: 20 });
  });
});

describe("least_busy", () => {
  test("asks the one with the fewest requests under way, by weight", async () => {
    await using gate = closedGate();
    const held: Several = { answers: { m: [say("Hold"), { gate: gate.url }, stop()] } };
    const targets = ["a", { upstream: "b", weight: 2 }, { upstream: "c", weight: 0 }];
    await using gateway = await startSeveral({ a: held, b: held, c: held }, routeBy("least_busy", targets));
    const streams: Response[] = [];
    for (let i = 0; i < 30; i++) streams.push(await gateway.chat({ model: "m", messages, stream: true }));
    expect(gateway.calls()).toEqual({ a: 10, b: 20, c: 0 });
    // Those of `b` end: until it has as many again for its weight, it is the one to ask.
    for (const stream of streams.filter(({ headers }) => headers.get("x-modelyard-upstream") === "b")) {
      await stream.body?.cancel();
    }
    await until(() => gateway.status("b").running === 0, "the end of the streams that were left");
    for (let i = 0; i < 20; i++) streams.push(await gateway.chat({ model: "m", messages, stream: true }));
    expect(gateway.calls()).toEqual({ a: 10, b: 40, c: 0 });
    gate.open();
    for (const stream of streams) if (!stream.body?.locked) await stream.body?.cancel();
  });
});

describe("sticky", () => {
  const targets = ["a", "b", "c", "d"];
  const upstreams = { a: SOUND, b: SOUND, c: SOUND, d: SOUND };

  test("keeps each user at one target, and spreads the users", async () => {
    await using gateway = await startSeveral(upstreams, routeBy("sticky", targets));
    const homes = new Map<string, string>();
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 100; i++) {
        const home = await upstreamOf(gateway, { user: `user-${i}` });
        expect(homes.get(`user-${i}`) ?? home).toBe(home);
        homes.set(`user-${i}`, home);
      }
    }
    for (const id of targets) {
      expectShare([...homes.values()].filter((home) => home === id).length, homes.size, 1 / 4);
    }
  });

  test("keeps a key's requests together where they name no user", async () => {
    const keys = Array.from({ length: 12 }, (_, i) => ({
      name: `key-${i}`,
      key: `sk-sticky-${i}-0123456789`,
    }));
    const yaml = `${routeBy("sticky", targets)}keys: ${JSON.stringify(keys)}\n`;
    await using gateway = await startSeveral(upstreams, yaml);
    const homes: string[] = [];
    for (const { key } of keys) {
      const seen = await counts(5, () => upstreamOf(gateway, {}, key));
      expect(Object.values(seen)).toEqual([5]);
      homes.push(...Object.keys(seen));
    }
    // That twelve keys have one home by chance happens once in 4 million; and which home is no chance.
    expect(new Set(homes).size).toBeGreaterThan(1);
  });

  test("moves only those whose target fails, and brings them back", async () => {
    const shaky: Step = { fail: "rejected", message: "wrong key" };
    await using whole = await startSeveral(upstreams, routeBy("sticky", targets));
    const b: Several = { answers: { m: [shaky] } };
    await using partly = await startSeveral({ ...upstreams, b }, routeBy("sticky", targets));
    for (let i = 0; i < 40; i++) {
      const user = `user-${i}`;
      const home = await upstreamOf(whole, { user });
      const now = await upstreamOf(partly, { user });
      if (home === "b") expect(now).not.toBe("b");
      else expect(now).toBe(home);
    }
  });
});

describe("fastest", () => {
  const SLOW_MS = 60;

  /** Answers a stream after so many ms. */
  function after(ms: number) {
    return async (exchange: Exchange): Promise<void> => {
      await Bun.sleep(ms);
      exchange.send(sseAnswer(openaiChunks("Hello")));
    };
  }

  test("asks the quicker of two, and lets only one request wait for a measurement", async () => {
    await using slow = await startFaultUpstream();
    await using quick = await startFaultUpstream();
    const held = Promise.withResolvers<void>();
    slow.respond = (exchange) => held.promise.then(() => after(SLOW_MS)(exchange));
    quick.respond = after(0);
    await using gateway = await startGateway(
      `upstreams:\n${forwardTo("slow", slow.url)}${forwardTo("quick", quick.url)}${routeBy("fastest", ["slow", "quick"])}`,
    );
    const ask = () => upstreamOf(gateway, { stream: true });
    const first = [ask()];
    await until(() => slow.requests.length + quick.requests.length === 1, "the first request");
    first.push(ask());
    expect(await Promise.any(first)).toBe("quick");
    expect(await counts(20, ask)).toEqual({ quick: 20 });
    held.resolve();
    expect((await Promise.all(first)).toSorted()).toEqual(["quick", "slow"]);
    expect(await counts(20, ask)).toEqual({ quick: 20 });
    expect(slow.requests.length).toBe(1);
  });

  test("follows a change", async () => {
    await using first = await startFaultUpstream();
    await using second = await startFaultUpstream();
    first.respond = after(0);
    second.respond = after(SLOW_MS);
    await using gateway = await startGateway(
      `upstreams:\n${forwardTo("first", first.url)}${forwardTo("second", second.url)}${routeBy("fastest", ["first", "second"])}`,
    );
    const ask = () => upstreamOf(gateway, { stream: true });
    expect((await counts(10, ask))["second"]).toBe(1);
    first.respond = after(4 * SLOW_MS);
    second.respond = after(0);
    const later = await counts(10, ask);
    expect(later["second"]).toBeGreaterThanOrEqual(5);
    expect(await ask()).toBe("second");
  });
});
