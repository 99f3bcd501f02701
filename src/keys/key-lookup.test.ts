import { expect, test } from "bun:test";
import { rememberingLog } from "../../test/support/ledger.ts";
import type { StoredKey } from "./keyring.ts";
import { KeyLookup, KeysUnreadable } from "./key-lookup.ts";

const ALICE: StoredKey = {
  name: "alice",
  hash: "a",
  models: ["*"],
  expires: undefined,
  limits: {},
  budget: undefined,
};

/** A look-up in a store that fails for as long as it is told to. */
function failing() {
  const state = { now: 0, asked: 0, isBroken: true };
  const { log, told } = rememberingLog();
  const find = (hash: string) => {
    state.asked += 1;
    if (state.isBroken) throw new Error("database is locked");
    return hash === ALICE.hash ? ALICE : undefined;
  };
  return { state, told, lookup: new KeyLookup({ store: { find }, log, now: () => state.now }) };
}

test("a store that failed is left alone for a second, and asked again then", () => {
  const { state, lookup } = failing();
  expect(() => lookup.find("a")).toThrow(KeysUnreadable);
  state.isBroken = false;
  state.now = 999;
  expect(() => lookup.find("a")).toThrow(KeysUnreadable);
  expect(state.asked).toBe(1);
  state.now = 1_000;
  expect(lookup.find("a")).toBe(ALICE);
  expect(lookup.find("b")).toBeUndefined();
  expect(state.asked).toBe(3);
});

test("a trouble that lasts is told every ten seconds", () => {
  const { state, told, lookup } = failing();
  for (; state.now < 20_000; state.now += 1_000) expect(() => lookup.find("a")).toThrow(KeysUnreadable);
  expect(told).toEqual([
    expect.objectContaining({ level: "error", fields: { error: "database is locked" } }),
    expect.objectContaining({ level: "error" }),
  ]);
});
