import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { UpstreamError } from "modelyard/plugin";
import { PoolBench } from "../../../test/support/pool-bench.ts";
import type { Session, SourceChanges, Trouble } from "../../../test/support/token-server.ts";
import type { Lease } from "./types.ts";

const HOUR = 60 * 60_000;
/** Refreshing would prove it good each hour; without an expiry only use and verification do. */
const EVERLASTING: SourceChanges = { expiresAt: undefined };

let bench: PoolBench;
beforeEach(() => {
  bench = new PoolBench();
  bench.server.lifetime = 1000 * HOUR;
});
afterEach(() => bench.close());

function verifying(trouble: Trouble): void {
  bench.server.trouble = (operation) => (operation === "verify" ? trouble : undefined);
}

test("one that was unused for 6 h is verified before it is lent, once for all who wait", async () => {
  await bench.build({ max: 1 }, EVERLASTING).start();
  await bench.clock.advance(6 * HOUR);
  (await bench.lease())[Symbol.dispose]();
  expect(bench.server.calls.verify).toBe(0);
  await bench.clock.advance(6 * HOUR + 1);
  verifying({ takes: 500 });
  const askings = [bench.ask(), bench.ask()];
  await bench.clock.advance(499);
  expect(askings.every(({ waits }) => waits)).toBe(true);
  expect(bench.states).toEqual(["verifying"]);
  await bench.clock.advance(1);
  expect(askings.every(({ lease }) => lease !== undefined)).toBe(true);
  expect(bench.server.calls.verify).toBe(1);
});

test("nobody signs up for those who wait for a verification", async () => {
  await bench.build({ min: 1, max: 3 }, EVERLASTING).start();
  await bench.clock.advance(7 * HOUR);
  verifying({ takes: 500 });
  const asking = bench.ask();
  await bench.clock.advance(500);
  expect(asking.lease).toBeDefined();
  expect(bench.server.calls).toMatchObject({ create: 1, verify: 1 });
});

test("nothing is verified as long as nobody asks", async () => {
  await bench.build({ max: 1 }, EVERLASTING).start();
  await bench.clock.advance(100 * HOUR);
  expect(bench.server.calls.verify).toBe(0);
  expect(bench.clock.pending).toBe(0);
});

test("nobody waits for a verification while a trusted one is free", async () => {
  await bench.build({ min: 2, max: 2 }, EVERLASTING).start();
  (await bench.lease())[Symbol.dispose]();
  await bench.clock.advance(5 * HOUR);
  (await bench.lease())[Symbol.dispose]();
  await bench.clock.advance(2 * HOUR);
  using _lease = await bench.lease();
  expect(bench.server.calls.verify).toBe(0);
});

test("one that is no longer good is refreshed", async () => {
  await bench.build({ max: 1 }, { ...EVERLASTING, verify: async () => false }).start();
  await bench.clock.advance(7 * HOUR);
  using lease = await bench.lease();
  expect(bench.server.calls).toMatchObject({ create: 1, refresh: 1 });
  expect(lease.credential.access).toBe("access-3");
});

test("one that is no longer good and can't be refreshed is replaced", async () => {
  await bench.build({ max: 1 }, { ...EVERLASTING, refresh: undefined }).start();
  const { id } = await bench.lease();
  bench.server.revoke(id);
  await bench.clock.advance(7 * HOUR);
  using lease = await bench.lease();
  expect(lease.id).not.toBe(id);
  expect(bench.server.calls).toMatchObject({ create: 2, verify: 1 });
});

test("a verification that is itself rejected says the same as `false`", async () => {
  await bench.build({ max: 1 }, EVERLASTING).start();
  await bench.clock.advance(7 * HOUR);
  verifying({ error: new UpstreamError("rejected", "bad_jwt") });
  using _lease = await bench.lease();
  expect(bench.server.calls).toMatchObject({ create: 1, refresh: 1 });
});

test("if nobody can tell, it is trusted this time", async () => {
  await bench.build({ max: 1 }, EVERLASTING).start();
  await bench.clock.advance(7 * HOUR);
  verifying({ error: new Error("the network is down") });
  using lease = await bench.lease();
  expect(lease.id).toBe("user-1");
  expect(bench.states).toEqual(["leased"]);
});

test("a verification that hangs is given up after 10 s", async () => {
  await bench.build({ max: 1 }, EVERLASTING).start();
  await bench.clock.advance(7 * HOUR);
  verifying({ takes: HOUR });
  const asking = bench.ask();
  await bench.clock.advance(9999);
  expect(asking.waits).toBe(true);
  await bench.clock.advance(1);
  expect(asking.lease).toBeDefined();
});

test("a verification that is rate-limited lets it rest", async () => {
  await bench.build({ max: 1 }, EVERLASTING).start();
  await bench.clock.advance(7 * HOUR);
  verifying({ error: new UpstreamError("rate-limited", "slow down", { retryAfterMs: 60_000 }) });
  const asking = bench.ask();
  await asking.settled;
  expect(asking.error).toMatchObject({ code: "no-credential", retryAfterMs: 60_000 });
  expect(bench.states).toEqual(["cooling"]);
});

test("one that comes from the storage is verified unless it was used within that time", async () => {
  await bench.build({ max: 1 }, EVERLASTING).start();
  (await bench.lease())[Symbol.dispose]();
  await bench.close();
  await bench.clock.advance(5 * HOUR);
  await bench.build({ max: 1 }, EVERLASTING).start();
  expect(bench.server.calls.verify).toBe(0);
  await bench.close();
  await bench.clock.advance(2 * HOUR);
  await bench.build({ max: 1 }, EVERLASTING).start();
  using _lease = await bench.lease();
  expect(bench.server.calls).toMatchObject({ create: 1, verify: 1 });
});

describe("of several credentials from the storage one that is rejected", () => {
  const rejected = new UpstreamError("rejected", "never heard of");

  /** Three from the storage, of which one was lent. */
  async function restart(): Promise<Lease<Session>> {
    await bench.build({ min: 3, max: 3 }, EVERLASTING).start();
    await bench.close();
    await bench.build({ min: 3, max: 3 }, EVERLASTING).start();
    return bench.lease();
  }

  test("makes the others be verified before they are lent, so that none of them has to be tried", async () => {
    const first = await restart();
    for (const key of await bench.storage.keys("credential/")) bench.server.revoke(key.split("/")[1]!);
    first.failed(rejected);
    const asking = bench.ask();
    await asking.settled;
    expect(bench.server.accepts(asking.lease!.credential)).toBe(true);
    await bench.clock.advance(1000);
    expect(bench.server.calls).toMatchObject({ verify: 2, refresh: 3, create: 6 });
  });

  test("costs the others nothing but that if they are good, and only once", async () => {
    const first = await restart();
    verifying({ takes: 500 });
    first.failed(rejected);
    await bench.clock.advance(499);
    expect(bench.states.filter((state) => state === "verifying")).toHaveLength(2);
    await bench.clock.advance(1);
    const [second, third] = [await bench.lease(), await bench.lease()];
    second.failed(rejected);
    third.failed(rejected);
    await bench.clock.advance(1000);
    expect(bench.server.calls).toMatchObject({ verify: 2, create: 3 });
  });

  test("says nothing of those that were seen to be good since", async () => {
    const first = await restart();
    const others = [await bench.lease(), await bench.lease()];
    for (const other of others) other.succeeded();
    first.failed(rejected);
    await bench.clock.advance(1000);
    expect(bench.server.calls.verify).toBe(0);
  });

  test("lets them be lent all the same where nobody can tell", async () => {
    const first = await restart();
    bench.server.trouble = (operation) =>
      operation === "verify" ? { error: new UpstreamError("unavailable", "down") } : { takes: 60_000 };
    first.failed(rejected);
    const asking = bench.ask();
    await bench.clock.advance(0);
    expect(asking.lease?.id).not.toBe(first.id);
    expect(bench.server.calls.verify).toBe(2);
  });
});
