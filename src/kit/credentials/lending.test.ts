import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { UpstreamError } from "modelyard/plugin";
import { PoolBench } from "../../../test/support/pool-bench.ts";

let bench: PoolBench;
beforeEach(() => {
  bench = new PoolBench();
});
afterEach(() => bench.close());

/** A pool that has made its first `count` credentials. */
async function poolOf(count: number, leases = Infinity): Promise<void> {
  await bench.build({ min: count, max: count, leases }).start();
  expect(bench.status.states["fresh"]).toBe(count);
}

describe("who gets which credential", () => {
  test("the one with the fewest leases, then the least recently used", async () => {
    await poolOf(3);
    const ids: string[] = [];
    for (let round = 0; round < 3; round++) {
      await bench.clock.advance(1000);
      ids.push((await bench.lease()).id);
    }
    expect(new Set(ids).size).toBe(3);
    const last = await bench.lease();
    expect(last.id).toBe(ids[0]!);
    last[Symbol.dispose]();
  });

  test("one that was just given back comes after one that has rested", async () => {
    await poolOf(2);
    const first = await bench.lease();
    first[Symbol.dispose]();
    await bench.clock.advance(1000);
    expect((await bench.lease()).id).not.toBe(first.id);
  });

  test("a lease shows the credential and its stable name", async () => {
    await poolOf(1);
    using lease = await bench.lease();
    expect(lease.id).toBe(lease.credential.user);
    expect(bench.server.accepts(lease.credential)).toBe(true);
    expect([...bench.host.secrets]).toEqual([lease.credential.access, lease.credential.refresh]);
  });

  test("no credential has more leases than `leases` allows, and a lease given back goes to who waits", async () => {
    await poolOf(1, 2);
    const first = await bench.lease();
    await bench.lease();
    const third = bench.ask();
    await bench.clock.advance(0);
    expect(third.waits).toBe(true);
    expect(bench.status).toMatchObject({ waiting: 1, credentials: [{ state: "leased", leases: 2 }] });
    first[Symbol.dispose]();
    await third.settled;
    expect(third.lease?.id).toBe(first.id);
  });

  test("giving a lease back twice gives it back once", async () => {
    await poolOf(1, 2);
    const first = await bench.lease();
    await bench.lease();
    first[Symbol.dispose]();
    first[Symbol.dispose]();
    expect(bench.status.credentials[0]?.leases).toBe(1);
  });
});

describe("those who wait", () => {
  test("are served in the order in which they came", async () => {
    await poolOf(1, 1);
    const held = await bench.lease();
    const waiting = [bench.ask(), bench.ask(), bench.ask()];
    held[Symbol.dispose]();
    for (const [index, asking] of waiting.entries()) {
      await asking.settled;
      expect(waiting.slice(index + 1).every((other) => other.waits)).toBe(true);
      asking.lease?.[Symbol.dispose]();
    }
  });

  test("are out at once when they leave, with the reason of their own signal", async () => {
    await poolOf(1, 1);
    using _held = await bench.lease();
    const asking = bench.ask();
    const reason = { why: "the client left" };
    asking.leave(reason);
    expect(bench.status.waiting).toBe(0);
    await asking.settled;
    expect(asking.error).toBe(reason);
  });

  test("who leaves in the moment of being served passes the credential on to the next", async () => {
    await poolOf(1, 1);
    const held = await bench.lease();
    const gone = bench.ask();
    const next = bench.ask();
    held[Symbol.dispose]();
    gone.leave("too late");
    await next.settled;
    expect(gone.error).toBe("too late");
    expect(next.lease?.id).toBe(held.id);
    expect(bench.status.credentials[0]?.leases).toBe(1);
  });

  test("who has left before asking is not let in", async () => {
    await poolOf(1);
    const reason = new Error("gone already");
    expect(bench.pool.lease({ id: "call", signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    await bench.clock.advance(0);
    expect(bench.status.credentials[0]?.leases).toBe(0);
  });

  test("before the start they wait for it, and nothing is asked of anybody", async () => {
    bench.build();
    const asking = bench.ask();
    await bench.clock.advance(60_000);
    expect(asking.waits).toBe(true);
    expect(bench.server.calls.create).toBe(0);
    expect(bench.clock.pending).toBe(0);
    await bench.start();
    expect(asking.lease).toBeDefined();
  });
});

describe("an exclusive lease", () => {
  test("is alone on its credential", async () => {
    await poolOf(1);
    const alone = await bench.lease({ exclusive: true });
    const shared = bench.ask();
    const other = bench.ask({ exclusive: true });
    await bench.clock.advance(0);
    expect([shared.waits, other.waits]).toEqual([true, true]);
    alone[Symbol.dispose]();
    await shared.settled;
    expect(other.waits).toBe(true);
    shared.lease?.[Symbol.dispose]();
    await other.settled;
    expect(other.lease).toBeDefined();
  });

  test("is not kept waiting for ever by those who share", async () => {
    await poolOf(1);
    const first = await bench.lease();
    const alone = bench.ask({ exclusive: true });
    const later = bench.ask();
    await bench.clock.advance(0);
    expect(later.waits).toBe(true);
    first[Symbol.dispose]();
    await alone.settled;
    expect(alone.lease).toBeDefined();
    expect(later.waits).toBe(true);
    alone.lease?.[Symbol.dispose]();
    await later.settled;
    expect(later.lease).toBeDefined();
  });

  test("lets those who share pass as long as a credential is being made for it", async () => {
    await bench.build({ min: 1, max: 2 }).start();
    using _first = await bench.lease();
    bench.server.trouble = () => ({ takes: 500 });
    const alone = bench.ask({ exclusive: true });
    await bench.clock.advance(0);
    using shared = await bench.lease();
    expect(shared).toBeDefined();
    expect(alone.waits).toBe(true);
    await bench.clock.advance(500);
    expect(alone.lease).toBeDefined();
  });

  test("that is no longer waited for lets the others through again", async () => {
    await poolOf(1);
    using _first = await bench.lease();
    const alone = bench.ask({ exclusive: true });
    const later = bench.ask();
    alone.leave();
    await later.settled;
    expect(later.lease).toBeDefined();
  });
});

describe("mayBecomeAvailable", () => {
  const limited = (retryAfterMs: number) => new UpstreamError("rate-limited", "slow down", { retryAfterMs });

  test("is there as long as one is busy, is being refreshed, can be made or rests for a moment only", async () => {
    await bench.build({ min: 1, max: 1 }).start();
    expect(bench.pool.mayBecomeAvailable()).toBe(true);
    const lease = await bench.lease({ exclusive: true });
    expect(bench.pool.mayBecomeAvailable()).toBe(true);
    expect(bench.pool.mayBecomeAvailable({ except: new Set([lease.version]) })).toBe(false);
    bench.server.trouble = () => ({ takes: 1000 });
    await bench.clock.advance(0);
    lease.failed(new UpstreamError("rejected", "who?"));
    expect(bench.status.states["refreshing"]).toBe(1);
    expect(bench.pool.mayBecomeAvailable()).toBe(true);
    lease[Symbol.dispose]();
    await bench.clock.advance(1000);
    const again = await bench.lease();
    again.failed(limited(2000));
    expect(bench.pool.mayBecomeAvailable()).toBe(true);
    again.failed(limited(2001));
    expect(bench.pool.mayBecomeAvailable()).toBe(false);
  });

  test("is not there before the start, without a way to get one, and after the end", async () => {
    bench.build({ min: 0, max: 1 });
    expect(bench.pool.mayBecomeAvailable()).toBe(false);
    await bench.start();
    expect(bench.pool.mayBecomeAvailable()).toBe(true);
    await bench.close();
    expect(bench.pool.mayBecomeAvailable()).toBe(false);
    await bench.build({ min: 0, max: 1 }, { create: undefined }).start();
    expect(bench.pool.mayBecomeAvailable()).toBe(false);
  });
});

describe("a lease", () => {
  test("tells the newest credential after a refresh", async () => {
    await bench.build({ max: 1 }).start();
    using lease = await bench.lease();
    expect(lease.newest).toBe(lease.credential);
    await bench.clock.advance(55 * 60_000);
    expect(lease.credential.access).toBe("access-2");
    expect(lease.newest.access).toBe("access-3");
  });

  test("is kept after its block for a clean-up, whichever way that ends, and for all of them", async () => {
    await bench.build({ max: 1, leases: 1 }).start();
    const ends = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    {
      using lease = await bench.lease();
      for (const { promise } of ends) lease.keepUntil(promise);
    }
    const next = bench.ask();
    ends[0]?.reject(new Error("it can't be ended"));
    await bench.clock.advance(0);
    expect(next.waits).toBe(true);
    ends[1]?.resolve();
    await next.settled;
    expect(next.lease).toBeDefined();
  });

  test("is kept for 30 s at most, and until its block is left", async () => {
    await bench.build({ max: 1, leases: 1 }).start();
    const lease = await bench.lease();
    lease.keepUntil(Promise.resolve());
    const next = bench.ask();
    await bench.clock.advance(0);
    expect(next.waits).toBe(true);
    lease.keepUntil(new Promise(() => {}));
    lease[Symbol.dispose]();
    await bench.clock.advance(29_999);
    expect(next.waits).toBe(true);
    await bench.clock.advance(1);
    expect(next.lease).toBeDefined();
    expect(bench.clock.pending).toBe(1);
  });

  test("that is kept is waited for when the pool is closed", async () => {
    await bench.build({ max: 1 }).start();
    const end = Promise.withResolvers<void>();
    {
      using lease = await bench.lease();
      lease.keepUntil(end.promise);
    }
    let isClosed = false;
    const closing = bench.host.close().then(() => (isClosed = true));
    await bench.clock.advance(0);
    expect(isClosed).toBe(false);
    end.resolve();
    await closing;
  });
});
