import { expect, test } from "bun:test";
import { rememberingLog } from "../../test/support/ledger.ts";
import { openTemporaryStorage } from "../storage/open-storage.ts";
import { KeyCache } from "./key-cache.ts";
import type { StoredKey } from "./keyring.ts";
import { hashKey, Keyring, makeKey } from "./keyring.ts";

const ALICE: StoredKey = {
  name: "alice",
  hash: hashKey("sk-alice"),
  models: ["*"],
  expires: undefined,
  limits: { requests_per_minute: 5 },
  budget: undefined,
};

const DEFAULTS = { requests_per_minute: 60, concurrent_requests: 4 };

/** A keyring over a store with no key in it. */
async function emptyKeyring(configured: readonly StoredKey[] = []) {
  const { keys: source } = openTemporaryStorage();
  const { log } = rememberingLog();
  const made = new KeyCache(await source.snapshot(), { source, defaults: DEFAULTS, log });
  const used: string[] = [];
  const keyring = new Keyring({
    configured,
    made,
    defaults: DEFAULTS,
    onFirstUse: (key) => used.push(key),
  });
  return { source, keyring, used };
}

test("the hash is SHA-256 in hex", () => {
  expect(hashKey("abc")).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
});

test("a key's own limits come before the defaults, each for itself", async () => {
  const { source, keyring } = await emptyKeyring([ALICE]);
  const made = await makeKey({ name: "bob", limits: { tokens_per_minute: 9 } }, source);
  expect(keyring.find("sk-alice")?.limits).toEqual({ requests_per_minute: 5, concurrent_requests: 4 });
  expect((await keyring.lookUp(made))?.limits).toEqual({
    requests_per_minute: 60,
    concurrent_requests: 4,
    tokens_per_minute: 9,
  });
  expect(await keyring.lookUp("sk-nobody")).toBeUndefined();
});

test("a configured key is told when it is first presented, and never again", async () => {
  const { keyring, used } = await emptyKeyring([ALICE]);
  for (const key of ["sk-wrong", "sk-alice", "sk-alice"]) keyring.find(key);
  expect(used).toEqual(["sk-alice"]);
});

test("a key of the store is in memory once it was looked up, by its hash", async () => {
  const { source, keyring } = await emptyKeyring();
  const made = await makeKey({ name: "bob" }, source);
  expect(keyring.find(made)).toBeUndefined();
  const caller = await keyring.lookUp(made);
  expect(caller?.name).toBe("bob");
  expect(keyring.find(made)).toBe(caller);
});
