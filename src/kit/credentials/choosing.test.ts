import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { UpstreamError } from "modelyard/plugin";
import { PoolBench } from "../../../test/support/pool-bench.ts";

const SECOND = 1000;
const REFUSED = new UpstreamError("rejected", "pay your bill");
const tooMany = (seconds: number): UpstreamError =>
  new UpstreamError("rate-limited", "too many", { retryAfterMs: seconds * SECOND });

let bench: PoolBench;
beforeEach(() => {
  bench = new PoolBench();
});
afterEach(() => bench.close());

/** Lends and gives back so often, and counts how often each credential came. */
async function lendTimes(times: number): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (let time = 0; time < times; time++) {
    using lease = await bench.lease();
    counts[lease.id] = (counts[lease.id] ?? 0) + 1;
  }
  return counts;
}

/** What a request that was refused these credentials, as they were made, doesn't want. */
function versions(...ids: readonly string[]): ReadonlySet<string> {
  return new Set(ids.map((id) => `${id} 0`));
}

/** Has one credential fail. */
async function fail(id: string, error: unknown): Promise<void> {
  const others = bench.status.credentials.map((credential) => credential.id).filter((other) => other !== id);
  using lease = await bench.lease({ except: versions(...others) });
  lease.failed(error);
}

describe("credentials with weights", () => {
  const weights: Record<string, number> = { "user-1": 3, "user-3": 1 };
  const weight = ({ user }: { user: string }): number => weights[user] ?? 1;

  test("get their shares of the work, also when it comes one by one", async () => {
    await bench.build({ min: 2, max: 2 }, { weight }).start();
    expect(await lendTimes(40)).toEqual({ "user-1": 30, "user-3": 10 });
  });

  test("get their shares when all of it runs at once", async () => {
    await bench.build({ min: 2, max: 2 }, { weight }).start();
    const leases = await Promise.all(Array.from({ length: 40 }, () => bench.lease()));
    expect(leases.filter(({ id }) => id === "user-1")).toHaveLength(30);
  });

  test("don't make up for their rest", async () => {
    await bench.build({ min: 2, max: 2 }, { weight: () => 1 }).start();
    await fail("user-3", tooMany(60));
    expect(await lendTimes(20)).toEqual({ "user-1": 20 });
    await bench.clock.advance(60 * SECOND);
    const counts = await lendTimes(20);
    expect(counts["user-3"]).toBeWithin(9, 12);
  });
});

describe("a source that retries rejected credentials", () => {
  test("has a refused credential rest and tried again, a minute at first, then longer", async () => {
    await bench.build({ min: 2, max: 2 }, { retryRejected: true, refresh: undefined }).start();
    await fail("user-1", REFUSED);
    expect(bench.status.credentials[0]).toMatchObject({ state: "cooling", error: "pay your bill" });
    expect(await lendTimes(4)).toEqual({ "user-3": 4 });
    await bench.clock.advance(60 * SECOND);
    await fail("user-1", REFUSED);
    await bench.clock.advance(60 * SECOND);
    expect(bench.states).toContain("cooling");
    await bench.clock.advance(60 * SECOND);
    const [first, second] = [await bench.lease(), await bench.lease()];
    for (const lease of [first, second]) lease.succeeded();
    first[Symbol.dispose]();
    second[Symbol.dispose]();
    expect(bench.states).toEqual(["fresh", "fresh"]);
    expect(bench.server.retired).toEqual([]);
  });
});

describe("a source that retries rejected credentials and can refresh", () => {
  beforeEach(async () => {
    bench.server.lifetime = 20 * SECOND;
    await bench
      .build(
        { min: 1, max: 1 },
        { retryRejected: true, create: undefined, accounts: [bench.server.account("one")] },
      )
      .start();
  });

  test("has a refused credential refreshed first, and rest no longer than a token lives", async () => {
    await fail("user-1", REFUSED);
    using refreshed = await bench.lease();
    expect(refreshed.credential.access).toBe("access-3");
    refreshed.failed(REFUSED);
    expect(bench.status.credentials[0]?.state).toBe("cooling");
    await bench.clock.advance(20 * SECOND);
    using again = await bench.lease();
    again.succeeded();
    expect(bench.server.calls).toMatchObject({ open: 1 });
  });

  test("gives up none whose refresh is refused, either", async () => {
    bench.server.trouble = (operation) => (operation === "refresh" ? { error: REFUSED } : undefined);
    await fail("user-1", REFUSED);
    await bench.clock.advance(60 * SECOND);
    bench.server.trouble = () => undefined;
    await bench.clock.advance(20 * SECOND);
    using again = await bench.lease();
    expect(bench.server.accepts(again.credential)).toBe(true);
  });
});

test("a credential that has rested is probed by as many as the pool is told", async () => {
  await bench.build({ max: 1, probes: 2 }).start();
  await fail("user-1", tooMany(10));
  await bench.clock.advance(10 * SECOND);
  const probes = [await bench.lease(), await bench.lease()];
  const third = bench.ask();
  await bench.clock.advance(0);
  expect(third.waits).toBe(true);
  probes[0]?.succeeded();
  await bench.clock.advance(0);
  expect(third.lease).toBeDefined();
  expect(() => bench.build({ probes: 0 })).toThrow(RangeError);
});

describe("who wants any but some credentials", () => {
  test("gets another one, or is sent away at once with the time when another may be there", async () => {
    await bench.build({ min: 2, max: 2 }).start();
    const except = versions("user-1");
    for (let time = 0; time < 3; time++) {
      using lease = await bench.lease({ except });
      expect(lease.id).toBe("user-3");
    }
    await fail("user-3", tooMany(30));
    const asking = bench.ask({ except });
    await asking.settled;
    expect(asking.error).toMatchObject({ code: "no-credential", retryAfterMs: 30 * SECOND });
    using any = await bench.lease();
    expect(any.id).toBe("user-1");
  });

  test("holds up nobody behind them", async () => {
    await bench.build({ min: 1, max: 1, leases: 1 }).start();
    const held = await bench.lease();
    const others = [bench.ask({ except: versions("user-1") }), bench.ask()];
    await others[0]?.settled;
    expect(others[0]?.error).toMatchObject({ code: "no-credential" });
    held[Symbol.dispose]();
    await bench.clock.advance(0);
    expect(others[1]?.lease?.id).toBe("user-1");
  });
});

test("a pool says whether it could lend at once", async () => {
  bench.build({ min: 2, max: 2 });
  expect(bench.pool.isAvailable()).toBe(false);
  await bench.start();
  expect(bench.pool.isAvailable()).toBe(true);
  expect(bench.pool.isAvailable({ except: versions("user-1", "user-3") })).toBe(false);
  await fail("user-1", tooMany(30));
  expect(bench.pool.isAvailable({ except: versions("user-1") })).toBe(true);
  expect(bench.pool.isAvailable({ except: versions("user-3") })).toBe(false);
  using _lease = await bench.lease();
  expect(bench.pool.isAvailable({ exclusive: true })).toBe(false);
});
