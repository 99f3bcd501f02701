import { afterEach, expect, jest, test } from "bun:test";
import { rememberingLog } from "../../test/support/ledger.ts";
import { rejection } from "../../test/support/rejection.ts";
import { openTemporaryStorage } from "../storage/open-storage.ts";
import { KeyCache, KeysUnreadableError } from "./key-cache.ts";
import { hashKey, makeKey } from "./keyring.ts";

afterEach(() => void jest.useRealTimers());

/** A cache over a store that fails, or doesn't answer, for as long as it is told to, and that counts what it is asked. */
async function cacheOver(names: readonly string[] = []) {
  const { keys } = openTemporaryStorage();
  const hashes: string[] = [];
  for (const name of names) hashes.push(hashKey(await makeKey({ name }, keys)));
  const state = { now: 0, versions: 0, snapshots: 0, isBroken: false, answer: Promise.resolve() };
  const source = {
    async version() {
      state.versions += 1;
      if (state.isBroken) throw new Error("database is locked");
      const version = await keys.version();
      await state.answer;
      return version;
    },
    snapshot() {
      state.snapshots += 1;
      return keys.snapshot();
    },
  };
  const { log, told } = rememberingLog();
  const first = await keys.snapshot();
  const cache = new KeyCache(first, { source, defaults: {}, log, now: () => state.now });
  return { cache, keys, hashes, state, told };
}

/** Lets the promises run that wait for no timer. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
}

test("a key in memory is found without asking the store, and is the same object as long as it isn't changed", async () => {
  const { cache, keys, hashes, state } = await cacheOver(["alice", "bob"]);
  const [alice = "", bob = ""] = hashes;
  const callers = [cache.find(alice), cache.find(bob)];
  expect(callers.map((caller) => caller?.name)).toEqual(["alice", "bob"]);
  expect(state).toMatchObject({ versions: 0, snapshots: 0 });
  await keys.delete("bob");
  await keys.add({ ...callers[1]!, hash: bob, limits: { requests_per_minute: 5 } }, "sk-my-1234");
  await cache.refresh();
  expect(cache.find(alice)).toBe(callers[0]!);
  expect(cache.find(bob)?.limits).toEqual({ requests_per_minute: 5 });
});

test("a revoked key is refused after half a second", async () => {
  jest.useFakeTimers();
  const { cache, keys, hashes, state } = await cacheOver(["bob"]);
  const [bob = ""] = hashes;
  cache.watch();
  await keys.delete("bob");
  jest.advanceTimersByTime(499);
  expect(cache.find(bob)).toBeDefined();
  jest.advanceTimersByTime(1);
  expect(state.versions).toBe(1);
  await settled();
  expect(cache.find(bob)).toBeUndefined();
  jest.advanceTimersByTime(500);
  expect(state.versions).toBe(2);
  cache.close();
  jest.advanceTimersByTime(5_000);
  expect(state.versions).toBe(2);
});

test("a cache that is closed while the store is being asked asks it no more", async () => {
  jest.useFakeTimers();
  const { cache, state } = await cacheOver();
  const answer = Promise.withResolvers<void>();
  state.answer = answer.promise;
  cache.watch();
  jest.advanceTimersByTime(500);
  cache.close();
  answer.resolve();
  await settled();
  jest.advanceTimersByTime(5_000);
  expect(state.versions).toBe(1);
});

test("a key that is made after it was refused is good at once, also while the store is being asked for another", async () => {
  const { cache, keys, state } = await cacheOver();
  expect(await cache.lookUp("late")).toBeUndefined();
  const answer = Promise.withResolvers<void>();
  state.answer = answer.promise;
  const wrong = cache.lookUp("wrong");
  const key = await makeKey({ name: "late" }, keys);
  const late = cache.lookUp(hashKey(key));
  answer.resolve();
  expect(await wrong).toBeUndefined();
  expect((await late)?.name).toBe("late");
});

test("a flood of wrong keys reads nothing but the version, once for all that come at the same time", async () => {
  const { cache, state } = await cacheOver(["bob"]);
  const found = await Promise.all(
    Array.from({ length: 1_000 }, (_, index) => cache.lookUp(`wrong-${index}`)),
  );
  expect(new Set(found)).toEqual(new Set([undefined]));
  expect(state.versions).toBeLessThanOrEqual(2);
  expect(state.snapshots).toBe(0);
});

test("while the store fails known keys stay good, others can't be told, and it is asked once a second", async () => {
  const { cache, keys, hashes, state } = await cacheOver(["bob"]);
  const [bob = ""] = hashes;
  state.isBroken = true;
  expect((await rejection(cache.lookUp("new"), KeysUnreadableError)).retryAfterMs).toBe(1_000);
  expect(cache.find(bob)?.name).toBe("bob");
  state.isBroken = false;
  const key = await makeKey({ name: "new" }, keys);
  state.now = 999;
  await rejection(cache.lookUp(hashKey(key)), KeysUnreadableError);
  expect(state.versions).toBe(1);
  state.now = 1_000;
  expect((await cache.lookUp(hashKey(key)))?.name).toBe("new");
  expect(state.versions).toBe(2);
});

test("a failure that lasts is logged every ten seconds", async () => {
  const { cache, state, told } = await cacheOver();
  state.isBroken = true;
  for (; state.now < 20_000; state.now += 1_000) await rejection(cache.refresh(), KeysUnreadableError);
  expect(told).toEqual([
    expect.objectContaining({ level: "error", fields: { error: "database is locked" } }),
    expect.objectContaining({ level: "error" }),
  ]);
});
