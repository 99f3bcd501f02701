import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { startMain } from "../support/gateway-process.ts";
import { ask, expectNothingLost, folderFor, startRecordingStub, TOKENS } from "../support/kill-rounds.ts";
import { Random } from "../support/random.ts";

/**
 * `kill -9` loses nothing that a client was told. test/long/killed.long.ts has more rounds of it.
 * @module
 */
test("no answered request is lost, and none that an upstream was asked for", async () => {
  await expectNothingLost(3, new Random(7));
}, 60_000);

test("a limit that a burst has used up is used up after the kill", async () => {
  using stub = startRecordingStub();
  using folder = folderFor(stub, [
    { name: "burst", limits: { requests_per_minute: 100 } } as { name: string },
  ]);
  const burst = async (url: string, name: string) => {
    const all = Array.from({ length: 120 }, (_, nth) =>
      ask(url, { key: "burst", id: `${name}-${nth}`, stream: nth % 2 === 0 }),
    );
    return (await Promise.all(all)).filter((status) => status === 200).length;
  };
  await using first = startMain(folder);
  expect(await burst(await first.listening(), "before")).toBe(100);
  first.signal("SIGKILL");
  await first.ended();
  await using second = startMain(folder);
  expect(await burst(await second.listening(), "after")).toBe(0);
}, 60_000);

test("a budget is exact over kills, to the token", async () => {
  using stub = startRecordingStub();
  const budget = { tokens: 60 * TOKENS, per: "month" };
  using folder = folderFor(stub, [{ name: "budget", budget } as { name: string }]);
  let answered = 0;
  for (let round = 0; round < 3; round++) {
    await using gateway = startMain(folder);
    const url = await gateway.listening();
    for (let nth = 0; nth < 25; nth++) {
      const status = await ask(url, { key: "budget", id: `b${round}-${nth}`, stream: nth % 2 === 0 });
      if (status === 200) answered += 1;
    }
    gateway.signal("SIGKILL");
    await gateway.ended();
  }
  expect(answered).toBe(60);
}, 60_000);

describe("a write-ahead file that was damaged keeps no gateway from starting, and is set aside:", () => {
  const harm: Readonly<Record<string, (bytes: Buffer<ArrayBuffer>) => Buffer<ArrayBuffer>>> = {
    "nothing but zeros": (bytes) => Buffer.alloc(bytes.length),
    "other bytes": (bytes) => Buffer.alloc(bytes.length, 0xff),
    "a beginning of other bytes": (bytes) => Buffer.concat([Buffer.alloc(8), bytes.subarray(8)]),
    "a torn end": (bytes) => bytes.subarray(0, bytes.lastIndexOf("\n") - 3),
    "zeros at the end": (bytes) => bytes.fill(0, bytes.lastIndexOf("\n") + 1),
  };
  test.each(Object.keys(harm))(
    "%s",
    async (kind) => {
      using stub = startRecordingStub();
      using folder = folderFor(stub, [{ name: "a" }]);
      await using first = startMain(folder);
      const url = await first.listening();
      // Nothing must be stored, and the file emptied, before the kill.
      using other = new Database(join(folder.path, "ledger.db"));
      other.run("PRAGMA busy_timeout = 5000");
      other.run("BEGIN IMMEDIATE");
      expect(await ask(url, { key: "a", id: "one", stream: false })).toBe(200);
      first.signal("SIGKILL");
      await first.ended();
      other.run("ROLLBACK");
      const file = readdirSync(folder.path).find((name) => name.endsWith("-ahead-1-a")) ?? "";
      const path = join(folder.path, file);
      const harmed = harm[kind]?.(readFileSync(path)) ?? Buffer.alloc(0);
      writeFileSync(path, harmed);
      await using second = startMain(folder);
      expect(await ask(await second.listening(), { key: "a", id: "two", stream: false })).toBe(200);
      expect(readFileSync(`${path}.damaged`)).toEqual(harmed);
      second.signal("SIGTERM");
      expect(await second.ended()).toMatchObject({ code: 0 });
      // Nothing else of the first one is left.
      expect(readdirSync(folder.path).filter((name) => /-1(-|$)/.test(name))).toEqual([`${file}.damaged`]);
    },
    30_000,
  );
});
