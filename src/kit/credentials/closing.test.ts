import { beforeEach, expect, test } from "bun:test";
import { UpstreamError } from "modelyard/plugin";
import { PoolBench } from "../../../test/support/pool-bench.ts";
import type { Session } from "../../../test/support/token-server.ts";

let bench: PoolBench;
beforeEach(() => {
  bench = new PoolBench();
});

test("those who wait go with the host's reason, what is being made is given up, no timer stays", async () => {
  await bench.build({ min: 1, max: 1, leases: 1 }).start();
  using _lease = await bench.lease();
  const waiting = bench.ask();
  await bench.close();
  expect(waiting.error).toBe(bench.host.host.signal.reason);
  expect(bench.clock.pending).toBe(0);
  const late = bench.ask();
  await late.settled;
  expect(late.error).toBe(bench.host.host.signal.reason);
});

test("a credential that is being made is given up", async () => {
  bench.server.trouble = () => ({ takes: 20_000 });
  await bench.build().start();
  const closed = bench.host.close();
  await bench.clock.advance(0);
  await closed;
  expect(bench.server.aborted).toBe(1);
  expect(bench.logged("warn")).toEqual([]);
  expect(bench.clock.pending).toBe(0);
});

test("a refresh under way is waited for, so that its rotated token isn't lost", async () => {
  await bench.build({ max: 1 }).start();
  bench.server.trouble = () => ({ takes: 3000 });
  await bench.clock.advance(55 * 60_000);
  await bench.close();
  bench.server.trouble = () => undefined;
  await bench.build({ max: 1 }).start();
  await bench.clock.advance(55 * 60_000);
  expect(bench.server).toMatchObject({ reused: 0, calls: { create: 1, refresh: 2 } });
});

test("but not for longer than 5 s", async () => {
  await bench.build({ max: 1 }).start();
  bench.server.trouble = () => ({ takes: 20_000 });
  await bench.clock.advance(55 * 60_000);
  const closed = bench.host.close();
  await bench.clock.advance(5000);
  await closed;
  expect(bench.server.aborted).toBe(1);
  expect(bench.clock.pending).toBe(0);
});

test("a host that only runs its clean-ups ends the pool as well", async () => {
  const cleanups: (() => void | Promise<void>)[] = [];
  const { signal } = new AbortController();
  bench.buildIn({ signal, defer: (cleanup) => void cleanups.push(cleanup) }, { leases: 1 });
  await bench.start();
  using _lease = await bench.lease();
  const waiting = [bench.ask(), bench.ask(), bench.ask()];
  for (const cleanup of cleanups) await cleanup();
  await Promise.all(waiting.map(({ settled }) => settled));
  expect(waiting[2]?.error).toMatchObject({ code: "unavailable" });
  expect(bench.clock.pending).toBe(0);
});

test("a pool that was never started has nothing to close, and can't be started afterwards", async () => {
  bench.build();
  await bench.close();
  await bench.start();
  expect(bench.server.calls.create).toBe(0);
  expect(await bench.storage.keys()).toEqual([]);
});

test("a lease that is given back after the end does no harm", async () => {
  await bench.build({ max: 1 }, { refresh: undefined }).start();
  const lease = await bench.lease();
  await bench.close();
  lease.failed(new UpstreamError("rejected", "cut off by the closing"));
  lease.succeeded();
  lease[Symbol.dispose]();
  await bench.clock.advance(60_000);
  expect(bench.clock.pending).toBe(0);
  expect(await bench.storage.keys()).toEqual([`credential/${lease.id}`]);
});

test("status and log tell what happens, and no secret", async () => {
  const identify = ({ user }: Session): string => `${user}-with-a-long-name`;
  await bench.build({ max: 2 }, { identify }).start();
  using lease = await bench.lease();
  lease.failed(new UpstreamError("rate-limited", "too many", { retryAfterMs: 60_000 }));
  using second = await bench.lease();
  second.failed(new UpstreamError("rejected", "bad_jwt"));
  await bench.clock.advance(0);
  const text = JSON.stringify([bench.status, bench.host.logs]);
  for (const secret of bench.host.secrets) expect(text).not.toContain(secret);
  expect(bench.status).toEqual({
    states: {
      fresh: 0,
      leased: 0,
      cooling: 1,
      probing: 1,
      doubted: 0,
      expired: 0,
      refreshing: 0,
      verifying: 0,
      dead: 0,
      making: 0,
    },
    retired: { configured: 0, made: 0 },
    waiting: 0,
    credentials: [
      { id: "user-1-w…", state: "cooling", leases: 1, until: "2026-01-01T00:01:00.000Z", error: "too many" },
      { id: "user-3-w…", state: "probing", leases: 1, until: "2026-01-01T01:00:00.000Z" },
    ],
  });
  expect(bench.logged("info")).toEqual(["credential created", "credential cooling", "credential created"]);
  await bench.close();
});
