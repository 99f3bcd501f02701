import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { UpstreamError } from "modelyard/plugin";
import { PoolBench } from "../../../test/support/pool-bench.ts";

const SECOND = 1000;

let bench: PoolBench;
beforeEach(() => {
  bench = new PoolBench();
});
afterEach(() => bench.close());

function tooMany(retryAfterMs?: number): UpstreamError {
  return new UpstreamError("rate-limited", "too many", retryAfterMs === undefined ? {} : { retryAfterMs });
}

/** Uses the only credential for a call that fails. */
async function failOnce(error: unknown): Promise<void> {
  using lease = await bench.lease();
  lease.failed(error);
}

/** How long the only credential rests from now, in seconds. */
function restOf(): number {
  const [credential] = bench.status.credentials;
  if (credential?.state !== "cooling") throw new Error(`it doesn't rest, it is ${credential?.state}`);
  return (Date.parse(credential.until ?? "") - bench.clock.now()) / SECOND;
}

describe("a credential that is rate-limited", () => {
  test("rests as long as the upstream asks, and isn't lent meanwhile", async () => {
    await bench.build({ max: 1 }).start();
    await failOnce(tooMany(30 * SECOND));
    expect(restOf()).toBe(30);
    const asking = bench.ask();
    await asking.settled;
    expect(asking.error).toMatchObject({ code: "no-credential", retryAfterMs: 30 * SECOND });
    await bench.clock.advance(28 * SECOND);
    const patient = bench.ask();
    await bench.clock.advance(2 * SECOND - 1);
    expect(patient.waits).toBe(true);
    await bench.clock.advance(1);
    expect(patient.lease).toBeDefined();
  });

  test("rests until the later end when told twice, and one burst of refusals counts once", async () => {
    await bench.build({ max: 1 }).start();
    const leases = [await bench.lease(), await bench.lease(), await bench.lease(), await bench.lease()];
    leases[0]?.failed(tooMany(30 * SECOND));
    leases[1]?.failed(tooMany(10 * SECOND));
    expect(restOf()).toBe(30);
    leases[2]?.failed(tooMany(60 * SECOND));
    leases[3]?.failed(tooMany());
    expect(restOf()).toBe(60);
  });

  test("that isn't told for how long rests 5 s, then twice as long each time, up to 10 min", async () => {
    await bench.build({ max: 1 }).start();
    const rests: number[] = [];
    for (let round = 0; round < 9; round++) {
      await failOnce(tooMany());
      rests.push(restOf());
      await bench.clock.advance(restOf() * SECOND);
    }
    expect(rests).toEqual([5, 10, 20, 40, 80, 160, 320, 600, 600]);
  });

  test("starts anew with 5 s after a success", async () => {
    await bench.build({ max: 1 }).start();
    await failOnce(tooMany(60 * SECOND));
    await bench.clock.advance(60 * SECOND);
    using lease = await bench.lease();
    lease.succeeded();
    lease.failed(tooMany());
    expect(restOf()).toBe(5);
  });

  test("fails again while probing with a short retry-after: it rests twice as long all the same", async () => {
    await bench.build({ max: 1 }).start();
    await failOnce(tooMany(60 * SECOND));
    await bench.clock.advance(60 * SECOND);
    await failOnce(tooMany(1 * SECOND));
    expect(restOf()).toBe(120);
  });

  test.each([Number.NaN, -5, Infinity])("ignores a retry-after that makes no sense (%p)", async (wait) => {
    await bench.build({ max: 1 }).start();
    await failOnce(tooMany(wait));
    expect(restOf()).toBe(5);
  });

  test("makes the pool grow if people wait and there is room", async () => {
    await bench.build({ min: 1, max: 2 }).start();
    await failOnce(tooMany(60 * SECOND));
    using _lease = await bench.lease();
    expect(bench.states).toEqual(["cooling", "leased"]);
    expect(bench.server.calls.create).toBe(2);
  });
});

test("nobody waits for the refresh of one that must rest anyway", async () => {
  await bench.build({ min: 1, max: 2 }).start();
  bench.server.trouble = (operation) => (operation === "refresh" ? { takes: 20 * SECOND } : undefined);
  await bench.clock.advance(55 * 60 * SECOND);
  await failOnce(tooMany(60 * SECOND));
  using lease = await bench.lease();
  expect(lease.id).not.toBe("user-1");
});

describe("after its rest", () => {
  test("it is probed by one call at a time until one succeeds", async () => {
    await bench.build({ max: 1 }).start();
    await failOnce(tooMany(1 * SECOND));
    await bench.clock.advance(1 * SECOND);
    const probe = await bench.lease();
    const others = [bench.ask(), bench.ask()];
    await bench.clock.advance(0);
    expect(bench.status).toMatchObject({ waiting: 2, credentials: [{ state: "probing", leases: 1 }] });
    probe.succeeded();
    await bench.clock.advance(0);
    expect(others.every(({ lease }) => lease !== undefined)).toBe(true);
    expect(bench.status.credentials[0]).toMatchObject({ state: "leased", leases: 3 });
  });

  test("a probe that says nothing leaves the next one to try", async () => {
    await bench.build({ max: 1 }).start();
    await failOnce(tooMany(1 * SECOND));
    await bench.clock.advance(1 * SECOND);
    const probe = await bench.lease();
    const next = bench.ask();
    probe.failed(new UpstreamError("failed", "not the credential's fault"));
    probe[Symbol.dispose]();
    await next.settled;
    expect(bench.states).toEqual(["probing"]);
  });

  test("the success of a call from before the rest proves nothing, and doesn't keep the probe away", async () => {
    await bench.build({ max: 1 }).start();
    using long = await bench.lease();
    await failOnce(tooMany(1 * SECOND));
    long.succeeded();
    expect(bench.states).toEqual(["cooling"]);
    await bench.clock.advance(1 * SECOND);
    long.succeeded();
    expect(bench.states).toEqual(["probing"]);
    using probe = await bench.lease();
    probe.succeeded();
    expect(bench.states).toEqual(["leased"]);
  });
});

test("other failures are not blamed on the credential", async () => {
  await bench.build({ max: 1 }).start();
  using lease = await bench.lease();
  for (const code of ["bad-request", "unavailable", "failed", "timeout", "truncated"] as const) {
    lease.failed(new UpstreamError(code, "no"));
  }
  lease.failed(new Error("no"));
  lease.failed(undefined);
  expect(bench.states).toEqual(["leased"]);
});
