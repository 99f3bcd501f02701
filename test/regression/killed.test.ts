import { expect, test } from "bun:test";
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
