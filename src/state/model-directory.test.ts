import { expect, test } from "bun:test";
import type { Model } from "../contract/index.ts";
import { UpstreamError } from "../contract/index.ts";
import { createLogger } from "../log.ts";
import type { OpenUpstream } from "./open-upstream.ts";
import { ModelDirectory } from "./model-directory.ts";

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
  const directory = new ModelDirectory(
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
  const directory = new ModelDirectory(
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
  const directory = new ModelDirectory([one], log);
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
  const directory = new ModelDirectory([down, listless], log);
  expect(await directory.offering("late")).toEqual([]);
  expect(directory.silent().map(({ id }) => id)).toEqual(["down"]);
  reachable = true;
  expect(directory.silent().map(({ id }) => id)).toEqual(["down"]);
});
