import { expect, test } from "bun:test";
import { memoryStorage } from "../storage/memory.ts";
import type { KeyStore, StoredKey } from "./keyring.ts";
import { hashKey, Keyring, makeKey } from "./keyring.ts";

const ALICE: StoredKey = {
  name: "alice",
  hash: hashKey("sk-alice"),
  models: ["*"],
  expires: undefined,
  limits: { requests_per_minute: 5 },
  budget: undefined,
};

/** A store that counts how often it was asked. */
function countedStore() {
  const { keys } = memoryStorage();
  const counted = { store: keys, lookUps: 0 };
  const find = keys.find.bind(keys);
  keys.find = (hash) => {
    counted.lookUps++;
    return find(hash);
  };
  return counted;
}

function keyringOf(store: KeyStore, options: { configured?: readonly StoredKey[] } = {}) {
  const time = { now: 0 };
  const used: string[] = [];
  const keyring = new Keyring({
    configured: [],
    store,
    defaults: { requests_per_minute: 60, concurrent_requests: 4 },
    firstUse: (key) => used.push(key),
    now: () => time.now,
    ...options,
  });
  return { keyring, time, used };
}

test("the hash is SHA-256 in hex", () => {
  expect(hashKey("abc")).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
});

test("a key's own limits come before the defaults, each for itself", () => {
  const { store } = countedStore();
  const made = makeKey({ name: "bob", limits: { tokens_per_minute: 9 } }, store);
  const { keyring } = keyringOf(store, { configured: [ALICE] });
  expect(keyring.find("sk-alice")?.limits).toEqual({ requests_per_minute: 5, concurrent_requests: 4 });
  expect(keyring.find(made)?.limits).toEqual({
    requests_per_minute: 60,
    concurrent_requests: 4,
    tokens_per_minute: 9,
  });
  expect(keyring.find("sk-nobody")).toBeUndefined();
});

test("a configured key is told when it is first presented, and never again", () => {
  const { keyring, used } = keyringOf(countedStore().store, { configured: [ALICE] });
  for (const key of ["sk-wrong", "sk-alice", "sk-alice"]) keyring.find(key);
  expect(used).toEqual(["sk-alice"]);
});

test("a key of the store is looked up at most twice a second, and gives the same caller while nothing changes", () => {
  const counted = countedStore();
  const made = makeKey({ name: "bob" }, counted.store);
  const { keyring, time } = keyringOf(counted.store);
  const caller = keyring.find(made);
  for (time.now = 0; time.now < 2_000; time.now += 10) expect(keyring.find(made)).toBe(caller);
  expect(caller?.name).toBe("bob");
  expect(counted.lookUps).toBe(4);
});

test("a revoked key is refused after half a second, and one that was changed is what it is now", () => {
  const { store } = countedStore();
  const bob = makeKey({ name: "bob" }, store);
  const { keyring, time } = keyringOf(store);
  const before = keyring.find(bob);
  store.delete("bob");
  expect(keyring.find(bob)).toBe(before);
  time.now = 500;
  expect(keyring.find(bob)).toBeUndefined();
  store.add({ ...ALICE, name: "bob", hash: hashKey(bob) }, "sk-my-1234");
  expect(keyring.find(bob)?.limits.requests_per_minute).toBe(5);
});

test("a key that is made after it was refused is good at once, and wrong keys are never remembered", () => {
  const counted = countedStore();
  const { keyring } = keyringOf(counted.store);
  expect(keyring.find("sk-late")).toBeUndefined();
  counted.store.add({ ...ALICE, hash: hashKey("sk-late") }, "sk-late");
  expect(keyring.find("sk-late")?.name).toBe("alice");
  counted.lookUps = 0;
  for (let i = 0; i < 1_000; i++) expect(keyring.find("sk-wrong")).toBeUndefined();
  expect(counted.lookUps).toBe(1_000);
});

test("of very many good keys only the latest are remembered", () => {
  const counted = countedStore();
  counted.store.find = (hash) => {
    counted.lookUps++;
    return { ...ALICE, hash };
  };
  const { keyring } = keyringOf(counted.store);
  const all = Array.from({ length: 5_000 }, (_, index) => `sk-many-${index}`);
  for (const key of all) keyring.find(key);
  counted.lookUps = 0;
  for (const key of all.slice(-4_096)) keyring.find(key);
  expect(counted.lookUps).toBe(0);
  keyring.find("sk-many-0");
  expect(counted.lookUps).toBe(1);
});
