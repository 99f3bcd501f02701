import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { UpstreamError } from "modelyard/plugin";
import type { KeyValue } from "modelyard/plugin";
import { memoryStorage } from "../../../test/support/plugin-host.ts";
import { PoolBench } from "../../../test/support/pool-bench.ts";
import type { Session } from "../../../test/support/token-server.ts";

const MINUTE = 60_000;

let bench: PoolBench;
beforeEach(() => {
  bench = new PoolBench();
});
afterEach(() => bench.close());

/** The credential as it stands in the storage. */
async function stored(id: string, storage = bench.storage): Promise<Session> {
  const found = await storage.get(`credential/${id}`);
  return (found!.value as unknown as { credential: Session }).credential;
}

describe("a restart", () => {
  test("signs up nobody when the stored ones are good", async () => {
    await bench.build({ min: 3, max: 3 }).start();
    const before = await Promise.all([bench.lease(), bench.lease(), bench.lease()]);
    await bench.close();
    await bench.build({ min: 3, max: 3 }).start();
    const after = await Promise.all([bench.lease(), bench.lease(), bench.lease()]);
    expect(after.map(({ id }) => id).toSorted()).toEqual(before.map(({ id }) => id).toSorted());
    expect(bench.server.calls).toEqual({ create: 3, refresh: 0, verify: 0, open: 0 });
    expect(bench.host.secrets.has(after[0]!.credential.access)).toBe(true);
    expect(bench.host.logs).toMatchObject([{ message: "credentials restored", fields: { count: 3 } }]);
  });

  test("logs how many credentials it restores, and nothing if there are none", async () => {
    await bench.build({ min: 1 }).start();
    expect(bench.logged("info")).toEqual(["credential created"]);
    await bench.close();
    await bench.build({ min: 1 }).start();
    expect(bench.host.logs).toMatchObject([{ message: "credentials restored", fields: { count: 1 } }]);
  });

  test("after a night refreshes them before they are lent", async () => {
    await bench.build({ min: 2, max: 2 }).start();
    await bench.close();
    await bench.clock.advance(10 * 60 * MINUTE);
    await bench.build({ min: 2, max: 2 }).start();
    using lease = await bench.lease();
    expect(bench.server.accepts(lease.credential)).toBe(true);
    expect(bench.server).toMatchObject({ reused: 0, calls: { create: 2, refresh: 2 } });
  });

  test("doesn't end a rest", async () => {
    await bench.build({ max: 1 }).start();
    (await bench.lease()).failed(new UpstreamError("rate-limited", "no", { retryAfterMs: 30 * MINUTE }));
    await bench.close();
    await bench.build({ max: 1 }).start();
    expect(bench.states).toEqual(["cooling"]);
    await bench.clock.advance(30 * MINUTE);
    using _probe = await bench.lease();
    expect(bench.states).toEqual(["probing"]);
  });

  test("with a smaller max takes up only so many, those that were used last", async () => {
    await bench.build({ min: 3, max: 3 }).start();
    await bench.lease();
    await bench.clock.advance(1);
    const used = await bench.lease();
    await bench.close();
    await bench.build({ min: 1, max: 1 }).start();
    expect(bench.status.credentials.map(({ id }) => id)).toEqual([used.id]);
  });

  test("drops what can't be read as a credential", async () => {
    await bench.storage.set("credential/odd", "what?");
    await bench.storage.set("credential/older", { credential: { of: "another version" } });
    const identify = (session: Session): string => session.user.trim();
    await bench.build({ min: 0 }, { identify }).start();
    expect(bench.states).toEqual([]);
    expect(await bench.storage.keys()).toEqual([]);
  });
});

describe("a rotated token", () => {
  test("is stored before it is lent", async () => {
    const storage = memoryStorage();
    const opened = Promise.withResolvers<void>();
    let slow = false;
    const slowStorage: KeyValue = {
      ...storage,
      async set(...write) {
        if (slow) await opened.promise;
        return storage.set(...write);
      },
    };
    await bench.buildIn({ storage: slowStorage }, { max: 1 }).start();
    slow = true;
    const before = await bench.lease();
    await bench.clock.advance(55 * MINUTE);
    expect(bench.server.calls.refresh).toBe(1);
    expect((await bench.lease()).credential).toEqual(before.credential);
    slow = false;
    opened.resolve();
    await bench.clock.advance(0);
    const after = await bench.lease();
    expect(after.credential.refresh).not.toBe(before.credential.refresh);
    expect(await stored(after.id, storage)).toEqual(after.credential);
  });

  test("of another process is taken over instead of using the old one up", async () => {
    await bench.build({ max: 1 }).start();
    const { credential: old, id } = await bench.lease();
    const newer = await bench.server.source().refresh!(old, AbortSignal.any([]));
    await bench.storage.set(`credential/${id}`, { credential: newer });
    await bench.clock.advance(55 * MINUTE);
    using lease = await bench.lease();
    expect(lease.credential).toEqual(newer);
    expect(bench.server.reused).toBe(0);
    expect(bench.host.secrets.has(newer.refresh)).toBe(true);
  });

  test("of another process that came in between is used instead of the own one", async () => {
    await bench.build({ max: 1 }).start();
    const { credential: old, id } = await bench.lease();
    bench.server.trouble = () => ({ takes: 1000 });
    await bench.clock.advance(55 * MINUTE);
    const theirs = { ...old, access: "theirs", expires: old.expires + 60 * MINUTE };
    await bench.storage.set(`credential/${id}`, { credential: theirs });
    await bench.clock.advance(1000);
    expect((await bench.lease()).credential).toEqual(theirs);
    expect(await stored(id)).toEqual(theirs);
  });

  test("that could not be stored is not forgotten for the one in the storage", async () => {
    const storage = memoryStorage();
    let full = false;
    const set: KeyValue["set"] = (...write) =>
      full ? Promise.reject(new Error("disk full")) : storage.set(...write);
    await bench.buildIn({ storage: { ...storage, set } }, { max: 1 }).start();
    full = true;
    await bench.clock.advance(55 * MINUTE);
    await bench.clock.advance(55 * MINUTE);
    expect(bench.server).toMatchObject({ reused: 0, calls: { create: 1, refresh: 2 } });
  });

  test("is stored over a mere note that another process made meanwhile", async () => {
    await bench.build({ max: 1 }).start();
    const { credential: old, id } = await bench.lease();
    bench.server.trouble = () => ({ takes: 1000 });
    await bench.clock.advance(55 * MINUTE);
    await bench.storage.set(`credential/${id}`, { credential: old, lastUsed: 1 });
    await bench.clock.advance(1000);
    const { credential } = await bench.lease();
    expect(credential.refresh).not.toBe(old.refresh);
    expect(await stored(id)).toEqual(credential);
  });
});

describe("a storage that fails", () => {
  test("is complained about loudly, doesn't stop anything, and is tried again", async () => {
    const storage = memoryStorage();
    let broken = true;
    const fail = async (): Promise<never> => {
      throw new Error("disk full");
    };
    const moody: KeyValue = {
      get: (key) => (broken ? fail() : storage.get(key)),
      set: (...write) => (broken ? fail() : storage.set(...write)),
      delete: (key) => (broken ? fail() : storage.delete(key)),
      keys: (prefix) => (broken ? fail() : storage.keys(prefix)),
    };
    await bench.buildIn({ storage: moody }, { max: 1 }).start();
    (await bench.lease())[Symbol.dispose]();
    await bench.clock.advance(55 * MINUTE);
    using lease = await bench.lease();
    expect(bench.server.calls).toMatchObject({ create: 1, refresh: 1 });
    expect(bench.logged("error")).toContain("storage failed: a restart may lose a credential");
    broken = false;
    await bench.clock.advance(30_000);
    expect(await stored(lease.id, storage)).toEqual(lease.credential);
  });

  test("and hangs is not waited for longer than 5 s", async () => {
    const never = (): Promise<never> => new Promise(() => {});
    await bench
      .buildIn({ storage: { get: never, set: never, delete: never, keys: never } }, { max: 1 })
      .start();
    const asking = bench.ask();
    await bench.clock.advance(5000);
    expect(asking.lease).toBeDefined();
    await bench.clock.advance(60 * MINUTE);
    expect(bench.server.calls).toMatchObject({ create: 1, refresh: 1 });
  });
});

test("a retired one is deleted, also when it dies while it is being stored", async () => {
  const storage = memoryStorage();
  const opened = Promise.withResolvers<void>();
  const slow: KeyValue = {
    ...storage,
    async set(...write) {
      await opened.promise;
      return storage.set(...write);
    },
  };
  await bench.buildIn({ storage: slow }, { min: 0, max: 1 }, { refresh: undefined }).start();
  using lease = await bench.lease();
  lease.failed(new UpstreamError("rejected", "banned"));
  await bench.clock.advance(0);
  opened.resolve();
  await bench.clock.advance(0);
  expect(bench.states).toEqual(["dead"]);
  expect(await storage.keys()).toEqual([]);
});

test("the time of last use is stored only now and then", async () => {
  let writes = 0;
  const storage = memoryStorage();
  const counting: KeyValue = {
    ...storage,
    set: (...write) => {
      writes++;
      return storage.set(...write);
    },
  };
  await bench.buildIn({ storage: counting }, { max: 1 }).start();
  for (let minute = 0; minute < 50; minute++) {
    (await bench.lease())[Symbol.dispose]();
    await bench.clock.advance(MINUTE);
  }
  expect(writes).toBe(2);
});
