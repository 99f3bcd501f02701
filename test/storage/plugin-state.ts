import { describe, expect, test } from "bun:test";
import { until } from "../support/until.ts";
import type { PluginStates, StorageKind } from "./kinds.ts";

/** What every store of plugins' own small state must do. */
export function pluginStateContract(kind: StorageKind<PluginStates>): void {
  describe(`plugins' state in ${kind.name}`, () => {
    test("each write gives a new version, by which a writer sees that another was there", async () => {
      await using opened = await kind.open();
      const state = opened.storage.stateOf("up");
      expect(await state.get("k")).toBeUndefined();
      expect(await state.set("k", 1, { ifVersion: 1 })).toBeUndefined();
      expect(await state.set("k", { token: "t" }, { ifVersion: 0 })).toBe(1);
      expect(await state.set("k", 2, { ifVersion: 0 })).toBeUndefined();
      expect(await state.set("k", { token: "u" }, { ifVersion: 1 })).toBe(2);
      expect(await state.set("k", { token: "v" })).toBe(3);
      expect(await state.get("k")).toEqual({ value: { token: "v" }, version: 3 });
      await state.delete("k");
      expect(await state.get("k")).toBeUndefined();
      expect(await state.set("k", 1, { ifVersion: 0 })).toBe(1);
    });

    test("of many who write the same version one succeeds", async () => {
      await using opened = await kind.open();
      const other = kind.isShared ? await opened.again() : opened.storage;
      const states = [opened.storage.stateOf("up"), other.stateOf("up")];
      const writes = Array.from({ length: 10 }, (_, index) =>
        states[index % 2]?.set("k", index, { ifVersion: 0 }),
      );
      expect((await Promise.all(writes)).filter((version) => version === 1)).toHaveLength(1);
      expect(await states[0]?.get("k")).toEqual(await states[1]?.get("k"));
    });

    test("upstreams don't see one another's, and keys are listed by their beginning, sorted", async () => {
      await using opened = await kind.open();
      const state = opened.storage.stateOf("up");
      for (const key of ["b/2", "a", "b/1", "b_3"]) await state.set(key, key);
      await opened.storage.stateOf("other").set("b/9", 1);
      expect(await state.keys("b/")).toEqual(["b/1", "b/2"]);
      expect(await state.keys()).toEqual(["a", "b/1", "b/2", "b_3"]);
      expect(await opened.storage.stateOf("other").get("a")).toBeUndefined();
      expect(await opened.storage.stateOf("up").get("a")).toEqual({ value: "a", version: 1 });
    });

    test("a value is a copy: what is done to it afterwards changes nothing", async () => {
      await using opened = await kind.open();
      const state = opened.storage.stateOf("up");
      const value = { list: [1, null, "Grüße \u{1F600}", { deep: true }] };
      await state.set("k", value);
      value.list.length = 0;
      const stored = await state.get("k");
      expect(stored?.value).toEqual({ list: [1, null, "Grüße \u{1F600}", { deep: true }] });
      Object.assign(stored?.value ?? {}, { list: [] });
      expect((await state.get("k"))?.value).toEqual({ list: [1, null, "Grüße \u{1F600}", { deep: true }] });
    });

    test("a value that expires is gone then, and its version never comes again", async () => {
      await using opened = await kind.open();
      const state = opened.storage.stateOf("up");
      expect(await state.set("claim", "mine", { ifVersion: 0, expiresIn: 20 })).toBe(1);
      await state.set("kept", "yes", { expiresIn: 60_000 });
      await until(async () => (await state.get("claim")) === undefined, "the claim to expire");
      expect(await state.keys()).toEqual(["kept"]);
      expect(await state.set("claim", "mine still", { ifVersion: 1 })).toBeUndefined();
      expect(await state.set("claim", "another's", { ifVersion: 0 })).toBe(2);
      expect(await state.get("claim")).toEqual({ value: "another's", version: 2 });
      expect(await state.get("kept")).toEqual({ value: "yes", version: 1 });
    });

    test("a value that is written again expires as it was written last", async () => {
      await using opened = await kind.open();
      const state = opened.storage.stateOf("up");
      await state.set("a", 1, { expiresIn: 10 });
      await state.set("a", 2);
      await state.set("b", 1, { expiresIn: 60_000 });
      await state.set("b", 2, { expiresIn: 10 });
      await until(async () => (await state.get("b")) === undefined, "the second to expire");
      expect(await state.get("a")).toEqual({ value: 2, version: 2 });
    });

    if (!kind.isShared) return;
    test("it survives a restart, with its versions", async () => {
      await using opened = await kind.open();
      await opened.storage.stateOf("up").set("k", { token: "t" });
      await opened.storage.stateOf("up").set("k", { token: "u" });
      await opened.storage.close();
      const state = (await opened.again()).stateOf("up");
      expect(await state.get("k")).toEqual({ value: { token: "u" }, version: 2 });
      expect(await state.set("k", 3, { ifVersion: 2 })).toBe(3);
    });
  });
}
