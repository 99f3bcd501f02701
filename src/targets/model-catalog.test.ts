import { expect, test } from "bun:test";
import type { Model } from "../contract/index.ts";
import { UpstreamError } from "../contract/index.ts";
import { createLogger } from "../log.ts";
import type { OpenUpstream } from "./open-upstream.ts";
import { ModelCatalog } from "./model-catalog.ts";

const log = createLogger({ log: "json", level: "error", redact: (line) => line });

function upstream(
  id: string,
  models: (signal: AbortSignal) => Promise<readonly Model[]>,
  allowed?: string[],
): OpenUpstream {
  return {
    id,
    plugin: "p",
    upstream: { models, chat: () => [] as never },
    models: allowed,
    timeouts: { queue: 1, connect: 1, first_event: 1, idle: 1, total: 1 },
    close: async () => undefined,
  };
}

test("it lists what upstreams offer in file order, within what they may offer, and asks once", async () => {
  let asked = 0;
  const directory = new ModelCatalog(
    [
      upstream("a", async () => {
        asked += 1;
        return [{ id: "x" }, { id: "y" }];
      }),
      upstream("b", async () => [{ id: "x" }, { id: "z" }], ["x"]),
    ],
    log,
  );
  const offers = await directory.offers();
  await directory.offers();
  expect(offers.map(({ upstream: { id }, model }) => `${id}:${model.id}`)).toEqual(["a:x", "a:y", "b:x"]);
  expect((await directory.offering("x")).map(({ id }) => id)).toEqual(["a", "b"]);
  expect(asked).toBe(1);
});

test("an upstream that fails, or doesn't answer, costs nobody the others", async () => {
  const aborted = Promise.withResolvers<void>();
  const directory = new ModelCatalog(
    [
      upstream("broken", async () => {
        throw new Error("down");
      }),
      upstream("hanging", (signal) => {
        signal.addEventListener("abort", () => aborted.resolve());
        return new Promise(() => undefined);
      }),
      upstream("fine", async () => [{ id: "x" }]),
    ],
    log,
  );
  expect((await directory.offers()).map(({ model }) => model.id)).toEqual(["x"]);
  await aborted.promise;
});

test("asking what a model can do waits for nothing, and has the list asked for", async () => {
  const listed = Promise.withResolvers<readonly Model[]>();
  const one = upstream("a", () => listed.promise);
  const directory = new ModelCatalog([one], log);
  expect(directory.capabilities(one, "x")).toEqual({});
  listed.resolve([{ id: "x", capabilities: { tools: false } }]);
  await directory.offers();
  expect(directory.capabilities(one, "x")).toEqual({ tools: false });
});

test("an upstream that is out of reach is known to be silent until it says what it offers", async () => {
  let reachable = false;
  const down = upstream("down", async () => {
    if (reachable) return [{ id: "late" }];
    throw new UpstreamError("unavailable", "nobody is there");
  });
  const listless = upstream("listless", async () => {
    throw new UpstreamError("bad-request", "404, there is no such page");
  });
  const directory = new ModelCatalog([down, listless], log);
  expect(await directory.offering("late")).toEqual([]);
  expect(directory.unreachable().map(({ id }) => id)).toEqual(["down"]);
  reachable = true;
  expect(directory.unreachable().map(({ id }) => id)).toEqual(["down"]);
});

/** Whether a promise is over once all that is at hand is done. */
async function isOver(promise: Promise<unknown>): Promise<boolean> {
  let over = false;
  void promise.then(() => (over = true));
  await Bun.sleep(0);
  return over;
}

test("a list that has failed once is never waited for again", async () => {
  let now = 0;
  let hangs = false;
  const down = upstream("down", () =>
    hangs
      ? new Promise(() => undefined)
      : Promise.reject(new UpstreamError("unavailable", "nobody is there")),
  );
  const fine = upstream("fine", async () => [{ id: "x" }]);
  const directory = new ModelCatalog([down, fine], log, () => now);
  await directory.offers();
  hangs = true;
  // It is asked for again, and this time nothing comes of it.
  now = 60_000;
  expect(await isOver(directory.offers())).toBe(true);
  expect(directory.offering("x")).toEqual([fine]);
  expect(directory.first(down)).toBeUndefined();
});

test("a name that nobody lists has missing lists asked for, at most once a second and not twice at a time", async () => {
  let now = 0;
  const asked: PromiseWithResolvers<readonly Model[]>[] = [];
  const one = upstream("one", () => {
    const list = Promise.withResolvers<readonly Model[]>();
    asked.push(list);
    return list.promise;
  });
  const directory = new ModelCatalog([one], log, () => now);
  const [first, second] = [directory.offering("x"), directory.offering("y")];
  asked[0]?.reject(new UpstreamError("unavailable", "nobody is there"));
  expect([await first, await second]).toEqual([[], []]);
  now = 999;
  expect(directory.offering("x")).toEqual([]);
  now = 1_000;
  const [third, fourth] = [directory.offering("x"), directory.offering("y")];
  expect(asked).toHaveLength(2);
  asked[1]?.resolve([{ id: "x" }]);
  expect([await third, await fourth]).toEqual([[one], []]);
});

test("a name that an upstream may not offer waits for no list of its", async () => {
  const one = upstream("one", () => new Promise(() => undefined), ["only-this"]);
  expect(new ModelCatalog([one], log).offering("x")).toEqual([]);
});

test("a plugin whose models() throws at once is asked again", async () => {
  let now = 0;
  let throws = true;
  const one = upstream("one", () => {
    if (throws) throw new Error("down");
    return Promise.resolve([{ id: "x" }]);
  });
  const directory = new ModelCatalog([one], log, () => now);
  expect(await directory.offering("x")).toEqual([]);
  throws = false;
  now = 1_000;
  expect(await directory.offering("x")).toEqual([one]);
});
