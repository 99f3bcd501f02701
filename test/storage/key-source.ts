import { describe, expect, test } from "bun:test";
import { hashKey, makeKey, NameTakenError } from "../../src/keys/keyring.ts";
import { rejection } from "../support/rejection.ts";
import type { StorageKind } from "./kinds.ts";

/** What every store of keys made at run time must do. */
export function keySourceContract(kind: StorageKind): void {
  describe(`keys in ${kind.name}`, () => {
    test("a made key is listed with what it may do, and only its hash and prefix are kept", async () => {
      await using opened = await kind.open();
      const { keys } = opened.storage;
      const all = {
        models: ["gpt-*", "m"],
        expires: 4_102_444_800_000,
        limits: { requests_per_minute: 5 },
        budget: { usd: 2.5, per: "month" },
      } as const;
      const before = Date.now();
      const key = await makeKey({ name: "all", ...all }, keys);
      const { keys: stored } = await keys.snapshot();
      expect(stored).toEqual([
        { name: "all", hash: hashKey(key), prefix: key.slice(0, 10), made: expect.any(Number), ...all },
      ]);
      expect(stored[0]?.made).toBeGreaterThanOrEqual(before);
      expect(JSON.stringify(stored)).not.toContain(key);
    });

    test("what a key doesn't limit is not limited, and keys come oldest first", async () => {
      await using opened = await kind.open();
      const { keys } = opened.storage;
      for (const name of ["b", "c", "a"]) {
        await makeKey({ name }, keys);
        await Bun.sleep(2);
      }
      const { keys: stored } = await keys.snapshot();
      expect(stored.map(({ name }) => name)).toEqual(["b", "c", "a"]);
      expect(stored[0]).toMatchObject({ models: ["*"], limits: {}, expires: undefined, budget: undefined });
    });

    test("the version changes with each change and stays the same otherwise", async () => {
      await using opened = await kind.open();
      const { keys } = opened.storage;
      const versions = [await keys.version()];
      await makeKey({ name: "bob" }, keys);
      versions.push(await keys.version());
      expect((await keys.snapshot()).version).toBe(await keys.version());
      expect(await keys.delete("nobody")).toBe(false);
      await rejection(makeKey({ name: "bob" }, keys), NameTakenError);
      expect(await keys.version()).toBe(versions[1] ?? NaN);
      expect(await keys.delete("bob")).toBe(true);
      versions.push(await keys.version());
      expect(new Set(versions).size).toBe(3);
      expect((await keys.snapshot()).keys).toEqual([]);
    });

    test("a name that is taken is refused, with nothing changed, and free again once it is deleted", async () => {
      await using opened = await kind.open();
      const { keys } = opened.storage;
      const first = await makeKey({ name: "bob" }, keys);
      await rejection(makeKey({ name: "bob" }, keys), NameTakenError);
      expect((await keys.snapshot()).keys.map(({ hash }) => hash)).toEqual([hashKey(first)]);
      await keys.delete("bob");
      const second = await makeKey({ name: "bob" }, keys);
      expect((await keys.snapshot()).keys.map(({ hash }) => hash)).toEqual([hashKey(second)]);
    });

    if (!kind.isShared) return;
    test("of two processes that make a key of one name, one is refused", async () => {
      await using opened = await kind.open();
      const other = await opened.again();
      const before = await other.keys.version();
      const key = await makeKey({ name: "bob" }, opened.storage.keys);
      expect(await other.keys.version()).not.toBe(before);
      await rejection(makeKey({ name: "bob" }, other.keys), NameTakenError);
      expect((await other.keys.snapshot()).keys.map(({ hash }) => hash)).toEqual([hashKey(key)]);
    });

    test("keys and their version survive a restart", async () => {
      await using opened = await kind.open();
      await makeKey({ name: "bob" }, opened.storage.keys);
      const before = await opened.storage.keys.snapshot();
      await opened.storage.close();
      expect(await (await opened.again()).keys.snapshot()).toEqual(before);
    });
  });
}
