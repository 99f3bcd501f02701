import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { UpstreamError } from "modelyard/plugin";
import { PoolBench } from "../../../test/support/pool-bench.ts";
import type { Session } from "../../../test/support/token-server.ts";

let bench: PoolBench;
beforeEach(() => {
  bench = new PoolBench();
});
afterEach(() => bench.close());

const tooMany = (retryAfterMs?: number): UpstreamError =>
  new UpstreamError(
    "rate-limited",
    "over_request_rate_limit",
    retryAfterMs === undefined ? {} : { retryAfterMs },
  );

function noCredential(error: unknown): UpstreamError {
  if (!UpstreamError.is(error)) throw new Error(`not an UpstreamError: ${String(error)}`);
  expect(error.code).toBe("no-credential");
  return error;
}

describe("how many there are", () => {
  test("min are kept ready, made one at a time", async () => {
    bench.server.trouble = () => ({ takes: 1000 });
    await bench.build({ min: 3, max: 5 }).start();
    await bench.clock.advance(2999);
    expect(bench.status.states).toMatchObject({ fresh: 2, making: 1 });
    await bench.clock.advance(10_000);
    expect(bench.status.states).toMatchObject({ fresh: 3, making: 0 });
    expect(bench.server.mostMaking).toBe(1);
    expect(bench.server.calls.create).toBe(3);
  });

  test("with people waiting it grows one by one up to max, and no further", async () => {
    await bench.build({ min: 0, max: 3, leases: 1 }).start();
    expect(bench.server.calls.create).toBe(0);
    bench.server.trouble = () => ({ takes: 1000 });
    const askings = [bench.ask(), bench.ask(), bench.ask(), bench.ask()];
    await bench.clock.advance(10_000);
    expect(askings.map(({ waits }) => waits)).toEqual([false, false, false, true]);
    expect(bench.server).toMatchObject({ mostMaking: 1, calls: { create: 3 } });
    askings[1]?.lease?.[Symbol.dispose]();
    await askings[3]?.settled;
    expect(askings[3]?.lease?.id).toBe(askings[1]!.lease!.id);
  });

  test("one that is retired is replaced in the background", async () => {
    await bench.build({ min: 1, max: 1 }, { refresh: undefined }).start();
    using lease = await bench.lease();
    lease.failed(new UpstreamError("rejected", "bad_jwt"));
    await bench.clock.advance(0);
    expect(bench.server.calls.create).toBe(2);
    expect(bench.states).toEqual(["dead", "fresh"]);
  });

  test("a caller who leaves doesn't end the making of what they waited for", async () => {
    await bench.build({ min: 0, max: 1 }).start();
    bench.server.trouble = () => ({ takes: 1000 });
    const asking = bench.ask();
    await bench.clock.advance(500);
    asking.leave();
    await bench.clock.advance(500);
    expect(bench.server.aborted).toBe(0);
    expect(bench.states).toEqual(["fresh"]);
  });

  test.each([
    { min: 2, max: 1 },
    { min: 0, max: 0 },
    { min: -1, max: 1 },
    { min: 0, max: 1, leases: 0 },
    { min: Number.NaN, max: 1 },
  ])("numbers that contradict each other are refused: %p", (options) => {
    expect(() => new PoolBench().build(options)).toThrow(RangeError);
  });
});

describe("when what is made is refused before it is of any use", () => {
  /** Uses up the next one; how many ms it took to get it. */
  async function waste(): Promise<number> {
    const began = bench.clock.now();
    const asking = bench.ask();
    await bench.clock.advance(0);
    while (!asking.lease) await bench.clock.advance(100);
    asking.lease.failed(new UpstreamError("rejected", "no socket for you"));
    asking.lease[Symbol.dispose]();
    await bench.clock.advance(0);
    return bench.clock.now() - began;
  }

  test("the first is replaced at once, the next ones later and later, until one is good", async () => {
    await bench.build({ min: 1, max: 1, random: () => 1 }, { refresh: undefined }).start();
    const waits: number[] = [];
    for (let time = 0; time < 3; time++) waits.push(await waste());
    expect(waits).toEqual([0, 0, 2000]);
    const sentAway = bench.ask();
    await sentAway.settled;
    expect(noCredential(sentAway.error).message).toContain("no socket for you");
    expect(noCredential(sentAway.error).retryAfterMs).toBe(4000);
    expect(bench.server.calls.create).toBe(3);

    await bench.clock.advance(4000);
    using good = await bench.lease();
    good.succeeded();
    good.failed(new UpstreamError("rejected", "bad_jwt"));
    await bench.clock.advance(0);
    expect(await waste()).toBe(0);
    expect(await waste()).toBe(0);
  });

  test("what was good once, or was there before, says nothing of new ones", async () => {
    await bench.build({ min: 1, max: 1, random: () => 1 }, { refresh: undefined }).start();
    for (let time = 0; time < 5; time++) {
      using lease = await bench.lease();
      lease.succeeded();
      lease.failed(new UpstreamError("rejected", "bad_jwt"));
      await bench.clock.advance(0);
    }
    expect(bench.server.calls.create).toBe(6);
  });
});

describe("when making fails", () => {
  test("it backs off, longer each time up to 10 min, and starts anew after a success", async () => {
    let broken = true;
    bench.server.trouble = (operation) =>
      broken && operation === "create" ? { error: new UpstreamError("unavailable", "down") } : undefined;
    await bench.build({ min: 1, max: 1, random: () => 1 }).start();
    const waits: number[] = [];
    for (let round = 0; round < 12; round++) {
      const line = bench.host.logs.filter(({ level }) => level === "warn").at(-1);
      const wait = Number(line?.fields?.["wait_ms"]);
      waits.push(wait / 1000);
      await bench.clock.advance(wait);
    }
    expect(waits).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600]);
    broken = false;
    await bench.clock.advance(600_000);
    expect(bench.states).toEqual(["fresh"]);
    expect(bench.status.error).toBeUndefined();
    broken = true;
    bench.server.revoke((await bench.lease()).id);
    await bench.clock.advance(55 * 60_000);
    expect(bench.host.logs.at(-1)?.fields?.["failures"]).toBe(1);
  });

  test("the back-off is drawn from its whole length, but is never nothing", async () => {
    bench.server.trouble = () => ({ error: new Error("down") });
    await bench.build({ min: 1, max: 1, random: () => 0 }).start();
    await bench.clock.advance(1000);
    expect(bench.server.calls.create).toBe(11);
  });

  test("the upstream's retry-after is obeyed", async () => {
    bench.server.trouble = () => ({ error: tooMany(90_000) });
    await bench.build({ min: 1, max: 1 }).start();
    await bench.clock.advance(89_999);
    expect(bench.server.calls.create).toBe(1);
    await bench.clock.advance(1);
    expect(bench.server.calls.create).toBe(2);
  });

  test("who waits is sent away as soon as it would take longer than 2 s, and told for how long", async () => {
    await bench.build({ min: 0, max: 1 }).start();
    bench.server.trouble = () => ({ takes: 300, error: tooMany(90_000) });
    const first = bench.ask();
    await bench.clock.advance(300);
    expect(noCredential(first.error).retryAfterMs).toBe(90_000);
    await bench.clock.advance(10_000);
    const second = bench.ask();
    await second.settled;
    const error = noCredential(second.error);
    expect(error.retryAfterMs).toBe(80_000);
    expect(error.message).toContain("over_request_rate_limit");
    expect(bench.server.calls.create).toBe(1);
  });

  test("a back-off of at most 2 s is waited for", async () => {
    await bench.build({ min: 0, max: 1 }).start();
    bench.server.trouble = () => ({ error: tooMany(2000) });
    const asking = bench.ask();
    await bench.clock.advance(1999);
    expect(asking.waits).toBe(true);
    bench.server.trouble = () => undefined;
    await bench.clock.advance(1);
    expect(asking.lease).toBeDefined();
  });

  test("without any way to get one, who asks is sent away for good", async () => {
    await bench.build({ min: 0, max: 1 }, { create: undefined }).start();
    const asking = bench.ask();
    await asking.settled;
    expect(noCredential(asking.error).retryAfterMs).toBeUndefined();
  });

  test("one that hangs is given up after 30 s, even if it doesn't heed its signal", async () => {
    let hangs = true;
    const source = bench.server.source();
    const create = (signal: AbortSignal): Promise<Session> =>
      hangs ? new Promise(() => {}) : source.create!(signal);
    await bench.build({ min: 0, max: 1 }, { create }).start();
    const asking = bench.ask();
    await bench.clock.advance(29_999);
    expect(asking.waits).toBe(true);
    hangs = false;
    await bench.clock.advance(501);
    expect(asking.lease).toBeDefined();
    expect(bench.logged("warn")).toEqual(["creating a credential failed"]);
  });

  test("a credential that is expired when it comes is a failure, not a loop", async () => {
    bench.server.lifetime = -1;
    await bench.build({ min: 1, max: 1 }).start();
    expect(bench.server.calls.create).toBe(1);
    expect(bench.status.error).toContain("is the clock right?");
  });

  test("one that was there already is a failure, not a loop", async () => {
    await bench.build({ min: 2, max: 3 }, { identify: () => "always-me" }).start();
    expect(bench.server.calls.create).toBe(2);
    expect(bench.states).toEqual(["fresh"]);
    expect(bench.status.error).toContain("already there");
  });
});

describe("configured accounts", () => {
  test("are all opened before anybody signs up, and kept over restarts", async () => {
    const accounts = [bench.server.account("one"), bench.server.account("two")];
    await bench.build({ min: 1, max: 3 }, { accounts }).start();
    expect(bench.server.calls).toMatchObject({ open: 2, create: 0 });
    await bench.close();
    await bench.build({ min: 1, max: 3 }, { accounts }).start();
    expect(bench.server.calls).toMatchObject({ open: 2, create: 0 });
    expect(bench.states).toEqual(["fresh", "fresh"]);
  });

  test("that are used up are not tried again until their id changes", async () => {
    bench.server.trouble = (operation) =>
      operation === "open"
        ? { error: new UpstreamError("bad-request", "refresh_token_not_found") }
        : undefined;
    await bench.build({ min: 1, max: 2 }, { accounts: [bench.server.account("one")] }).start();
    expect(bench.server.calls).toMatchObject({ open: 1, create: 1 });
    await bench.close();
    await bench.build({ min: 1, max: 2 }, { accounts: [bench.server.account("one")] }).start();
    expect(bench.server.calls.open).toBe(1);
    await bench.close();
    bench.server.trouble = () => undefined;
    await bench.build({ min: 1, max: 2 }, { accounts: [bench.server.account("one, renewed")] }).start();
    expect(bench.server.calls.open).toBe(2);
    expect(await bench.storage.keys("account/")).toEqual([]);
  });

  test("whose credential dies are used up as well", async () => {
    const source = { accounts: [bench.server.account("one")], create: undefined, refresh: undefined };
    await bench.build({ min: 1, max: 1 }, source).start();
    using lease = await bench.lease();
    lease.failed(new UpstreamError("rejected", "banned"));
    await bench.close();
    await bench.build({ min: 1, max: 1 }, source).start();
    expect(bench.server.calls.open).toBe(1);
    const asking = bench.ask();
    await asking.settled;
    noCredential(asking.error);
  });

  test("that can't be opened at the moment are tried again, and others serve meanwhile", async () => {
    let down = true;
    bench.server.trouble = (operation) =>
      operation === "open" && down ? { error: new UpstreamError("unavailable", "down") } : undefined;
    await bench.build({ min: 1, max: 2 }, { accounts: [bench.server.account("one")] }).start();
    expect(bench.states).toEqual(["fresh"]);
    down = false;
    await bench.clock.advance(1000);
    expect(bench.server.calls).toMatchObject({ open: 2, create: 1 });
    expect(bench.states).toEqual(["fresh", "fresh"]);
  });

  test("that are no longer configured are no longer used", async () => {
    await bench.build({ min: 0, max: 2 }, { accounts: [bench.server.account("one")] }).start();
    await bench.close();
    await bench.build({ min: 0, max: 2 }).start();
    expect(bench.states).toEqual([]);
    expect(await bench.storage.keys()).toEqual([]);
  });
});
