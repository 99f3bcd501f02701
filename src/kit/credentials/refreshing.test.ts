import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { UpstreamError } from "modelyard/plugin";
import { PoolBench } from "../../../test/support/pool-bench.ts";
import type { Trouble } from "../../../test/support/token-server.ts";

const MINUTE = 60_000;

let bench: PoolBench;
beforeEach(() => {
  bench = new PoolBench();
});
afterEach(() => bench.close());

const rejected = new UpstreamError("rejected", "bad_jwt");

/** Trouble with refreshing only. */
function refreshing(trouble: Trouble): void {
  bench.server.trouble = (operation) => (operation === "refresh" ? trouble : undefined);
}

describe("refreshing before the expiry", () => {
  test("happens 5 min ahead, without anybody asking, and by one timer", async () => {
    await bench.build({ min: 3, max: 3 }).start();
    expect(bench.clock.pending).toBe(1);
    await bench.clock.advance(55 * MINUTE - 1);
    expect(bench.server.calls.refresh).toBe(0);
    await bench.clock.advance(1);
    expect(bench.server.calls.refresh).toBe(3);
    expect(bench.clock.pending).toBe(1);
    await bench.clock.advance(10 * 60 * MINUTE);
    expect(bench.server).toMatchObject({ reused: 0, calls: { create: 3 } });
    expect(bench.states).toEqual(["fresh", "fresh", "fresh"]);
  });

  test("goes on while the old one is lent, and is done once", async () => {
    await bench.build({ max: 1 }).start();
    using before = await bench.lease();
    refreshing({ takes: 1000 });
    await bench.clock.advance(55 * MINUTE);
    using during = await bench.lease();
    expect(during.credential).toEqual(before.credential);
    await bench.clock.advance(1000);
    using after = await bench.lease();
    expect(after.id).toBe(before.id);
    expect(after.credential.access).not.toBe(before.credential.access);
    expect(bench.server.calls.refresh).toBe(1);
    expect(bench.host.secrets.has(after.credential.refresh)).toBe(true);
  });

  test("makes nobody sign up in the meantime", async () => {
    await bench.build({ min: 1, max: 2 }).start();
    refreshing({ takes: 20_000 });
    await bench.clock.advance(55 * MINUTE + 10_000);
    expect(bench.states).toEqual(["fresh"]);
    expect(bench.server.calls).toMatchObject({ create: 1, refresh: 1 });
  });

  test("of a credential that lives shorter than the 5 min happens in the middle of its life", async () => {
    bench.server.lifetime = 2 * MINUTE;
    await bench.build({ max: 1 }).start();
    await bench.clock.advance(10 * MINUTE);
    expect(bench.server.calls.refresh).toBe(10);
  });

  test("an expired one is never lent: who asks waits for its refresh", async () => {
    await bench.build({ max: 1 }).start();
    refreshing({ takes: 20 * 1000, error: new Error("the network is down") });
    await bench.clock.advance(60 * MINUTE);
    const asking = bench.ask();
    await bench.clock.advance(0);
    expect(asking.lease).toBeUndefined();
    bench.server.trouble = () => undefined;
    await bench.clock.advance(11 * MINUTE);
    using lease = await bench.lease();
    expect(bench.server.accepts(lease.credential)).toBe(true);
    expect(bench.server.calls.create).toBe(1);
  });

  test("that fails for other reasons is tried again while it is still good, and it is lent meanwhile", async () => {
    await bench.build({ max: 1, random: () => 1 }).start();
    refreshing({ error: new UpstreamError("unavailable", "down") });
    await bench.clock.advance(55 * MINUTE + 3500);
    expect(bench.server.calls.refresh).toBe(3);
    using _lease = await bench.lease();
    expect(bench.status.credentials[0]).toMatchObject({ state: "leased", error: "down" });
    bench.server.trouble = () => undefined;
    await bench.clock.advance(5000);
    expect(bench.server.calls.refresh).toBe(4);
    expect(bench.status.credentials[0]?.error).toBeUndefined();
  });

  test("backs off anew after a success", async () => {
    await bench.build({ max: 1, random: () => 1 }).start();
    refreshing({ error: new Error("down") });
    await bench.clock.advance(56 * MINUTE);
    bench.server.trouble = () => undefined;
    await bench.clock.advance(10 * MINUTE);
    refreshing({ error: new Error("down") });
    await bench.clock.advance(55 * MINUTE);
    const waits = bench.host.logs.map(({ fields }) => fields?.["failures"]).filter((count) => count === 1);
    expect(waits).toHaveLength(2);
  });

  test("obeys a retry-after", async () => {
    await bench.build({ max: 1 }).start();
    refreshing({ error: new UpstreamError("rate-limited", "slow down", { retryAfterMs: 2 * MINUTE }) });
    await bench.clock.advance(57 * MINUTE - 1);
    expect(bench.server.calls.refresh).toBe(1);
    await bench.clock.advance(1);
    expect(bench.server.calls.refresh).toBe(2);
  });

  test("that proves it invalid replaces it, and leases that run on it go on", async () => {
    await bench.build({ max: 1 }).start();
    const lease = await bench.lease();
    bench.server.revoke(lease.id);
    await bench.clock.advance(55 * MINUTE);
    expect(bench.states).toEqual(["dead", "fresh"]);
    expect(bench.server.retired).toEqual([]);
    expect(await bench.storage.keys()).not.toContain(`credential/${lease.id}`);
    lease[Symbol.dispose]();
    lease[Symbol.dispose]();
    expect(bench.server.retired).toEqual([lease.id]);
    expect(bench.states).toEqual(["fresh"]);
  });

  test("that fails for a day after the expiry is the end of one that signing up replaces", async () => {
    await bench.build({ max: 1 }).start();
    refreshing({ error: new UpstreamError("failed", "always this one") });
    await bench.clock.advance(24 * 60 * MINUTE);
    expect(bench.server.calls.create).toBe(1);
    await bench.clock.advance(2 * 60 * MINUTE);
    expect(bench.server.calls.create).toBe(2);
  });

  test("without `refresh` it is replaced at its end, by one that is made ahead of it", async () => {
    await bench.build({ min: 1, max: 2 }, { refresh: undefined }).start();
    await bench.clock.advance(55 * MINUTE);
    expect(bench.states).toEqual(["fresh", "fresh"]);
    await bench.clock.advance(5 * MINUTE);
    expect(bench.server.calls.create).toBe(2);
    expect(bench.server.retired).toHaveLength(1);
    expect(bench.states).toEqual(["fresh"]);
  });
});

describe("an account of the configuration", () => {
  test("that is refused for good is told at warn and in the status", async () => {
    await bench.build({ max: 1 }, { create: undefined, accounts: [bench.server.account("one")] }).start();
    (await bench.lease()).failed(rejected);
    (await bench.lease()).failed(rejected);
    await bench.clock.advance(0);
    expect(bench.host.logs.filter(({ level }) => level === "warn")).toEqual([
      {
        level: "warn",
        message: "account retired; change its credential in the configuration",
        fields: { account: "one", credential: "user-1", error: "bad_jwt" },
      },
    ]);
    expect(bench.pool.status()).toMatchObject({ retired: { configured: 1, made: 0 } });
  });
});

describe("a credential that the upstream rejects", () => {
  test("is refreshed once, because its access token may only have expired", async () => {
    await bench.build({ max: 1 }).start();
    const lease = await bench.lease();
    refreshing({ takes: 1000 });
    lease.failed(rejected);
    lease[Symbol.dispose]();
    const next = bench.ask();
    await bench.clock.advance(500);
    expect(bench.states).toEqual(["refreshing"]);
    expect(next.waits).toBe(true);
    await bench.clock.advance(500);
    expect(next.lease?.id).toBe(lease.id);
    expect(next.lease?.credential.access).not.toBe(lease.credential.access);
    expect(bench.states).toEqual(["probing"]);
    next.lease?.succeeded();
    expect(bench.states).toEqual(["leased"]);
    expect(bench.server.calls).toMatchObject({ create: 1, refresh: 1 });
  });

  test("is retired when the refreshed one is rejected too", async () => {
    await bench.build({ max: 1 }).start();
    (await bench.lease()).failed(rejected);
    await bench.clock.advance(0.9 * MINUTE);
    using again = await bench.lease();
    again.failed(rejected);
    await bench.clock.advance(0);
    expect(bench.server.calls).toMatchObject({ create: 2, refresh: 1 });
    expect(bench.states).toContain("fresh");
  });

  test.each([
    [60 * MINUTE, MINUTE],
    [20_000, 10_000],
  ])("is refreshed again if it has lain idle since its refresh: of %d ms for %d", async (lifetime, idle) => {
    bench.server.lifetime = lifetime;
    await bench.build({ max: 1, refreshBefore: 0 }).start();
    (await bench.lease()).failed(rejected);
    await bench.clock.advance(idle);
    (await bench.lease()).failed(rejected);
    await bench.clock.advance(0);
    expect(bench.server.calls).toMatchObject({ create: 1, refresh: 2 });
  });

  test("is refreshed again if it was good in between", async () => {
    await bench.build({ max: 1 }).start();
    for (let round = 0; round < 3; round++) {
      using lease = await bench.lease();
      lease.succeeded();
      lease.failed(rejected);
      await bench.clock.advance(2 * MINUTE);
    }
    expect(bench.server.calls).toMatchObject({ create: 1, refresh: 3 });
  });

  test("is refreshed whatever its age: services take back what is new, too", async () => {
    await bench.build({ max: 1 }).start();
    await bench.clock.advance(55 * MINUTE + 30_000);
    (await bench.lease()).failed(rejected);
    using lease = await bench.lease();
    lease.succeeded();
    lease.failed(rejected);
    using again = await bench.lease();
    expect(again.id).toBe(lease.id);
    expect(bench.server.calls).toMatchObject({ create: 1, refresh: 3 });
  });

  test("is not retired for a refusal that a refresh by its age has answered since", async () => {
    await bench.build({ max: 1 }).start();
    (await bench.lease()).failed(rejected);
    await bench.clock.advance(55 * MINUTE);
    (await bench.lease()).failed(rejected);
    await bench.clock.advance(0);
    expect(bench.server.calls).toMatchObject({ create: 1, refresh: 3 });
  });

  test("is worth waiting for by those whom it was refused to, and by nobody a second time", async () => {
    await bench.build({ max: 1 }, { create: undefined, accounts: [bench.server.account("one")] }).start();
    const leases = [await bench.lease(), await bench.lease()];
    const except = new Set(leases.map(({ version }) => version));
    refreshing({ takes: 1000 });
    for (const lease of leases) {
      lease.failed(rejected);
      expect(bench.pool.mayBecomeAvailable({ except })).toBe(true);
      lease[Symbol.dispose]();
    }
    const asking = [bench.ask({ except }), bench.ask({ except })];
    await bench.clock.advance(1000);
    asking[0]?.lease?.succeeded();
    await bench.clock.advance(0);
    expect(asking.map(({ lease }) => lease?.credential.access)).toEqual(["access-3", "access-3"]);
    const again = new Set([asking[0]!.lease!.version]);
    expect(bench.pool.mayBecomeAvailable({ except: again })).toBe(false);
  });

  test("is asked for no more rarely than a token lives while the service is down", async () => {
    bench.server.lifetime = 20_000;
    await bench.build({ max: 1, random: () => 1 }).start();
    refreshing({ error: new UpstreamError("unavailable", "down") });
    await bench.clock.advance(10 * MINUTE);
    const { refresh } = bench.server.calls;
    await bench.clock.advance(20_000);
    expect(bench.server.calls.refresh).toBe(refresh + 1);
  });

  test("by many calls at the same time is refreshed once, and late rejections of the old one don't count", async () => {
    await bench.build({ max: 1 }).start();
    const leases = [await bench.lease(), await bench.lease(), await bench.lease()];
    leases[0]?.failed(rejected);
    leases[1]?.failed(rejected);
    await bench.clock.advance(0);
    leases[2]?.failed(rejected);
    await bench.clock.advance(0);
    expect(bench.server.calls).toMatchObject({ create: 1, refresh: 1 });
    expect(bench.states).toEqual(["probing"]);
  });

  test("is not lent while it can't be refreshed, and who asks is told when to come back", async () => {
    await bench.build({ max: 1 }).start();
    refreshing({ error: new UpstreamError("rate-limited", "later", { retryAfterMs: MINUTE }) });
    (await bench.lease()).failed(rejected);
    await bench.clock.advance(0);
    expect(bench.states).toEqual(["doubted"]);
    const asking = bench.ask();
    await asking.settled;
    expect(asking.error).toMatchObject({ code: "no-credential", retryAfterMs: MINUTE });
  });

  test("is not lent before its refresh because it was rate-limited as well", async () => {
    await bench.build({ max: 1 }).start();
    const leases = [await bench.lease(), await bench.lease()];
    refreshing({ takes: 10_000 });
    leases[0]?.failed(rejected);
    leases[1]?.failed(new UpstreamError("rate-limited", "too many", { retryAfterMs: 1000 }));
    const asking = bench.ask();
    await bench.clock.advance(9999);
    expect(bench.states).toEqual(["refreshing"]);
    expect(asking.waits).toBe(true);
    await bench.clock.advance(1);
    expect(bench.states).toEqual(["probing"]);
    expect(asking.lease).toBeDefined();
  });

  test("during a refresh in the background is judged by what comes of that", async () => {
    await bench.build({ max: 1 }).start();
    using lease = await bench.lease();
    refreshing({ takes: 1000 });
    await bench.clock.advance(55 * MINUTE);
    lease.failed(rejected);
    await bench.clock.advance(1000);
    expect(bench.server.calls).toMatchObject({ create: 1, refresh: 1 });
    expect(bench.states).toEqual(["probing"]);
  });
});
