import { expect, test } from "bun:test";
import type { OpenUpstream } from "./open-upstream.ts";
import { RouteTable } from "./route-table.ts";

function upstream(id: string, models?: string[]): OpenUpstream {
  return {
    id,
    plugin: "p",
    upstream: { models: async () => [], chat: () => [] as never },
    models,
    timeouts: { queue: 1, connect: 1, first_event: 1, idle: 1, total: 1 },
    close: async () => undefined,
  };
}

const upstreams = new Map([upstream("a"), upstream("b", ["small-*"])].map((each) => [each.id, each]));
const plain = { strategy: "failover", on_context_length: "fail" } as const;
const table = new RouteTable(
  [
    {
      model: "gpt-*",
      targets: [
        { upstream: "a", weight: 1 },
        { upstream: "b", model: "own", weight: 1 },
      ],
      ...plain,
    },
    { model: "gpt-4", targets: [{ upstream: "b", weight: 1 }], ...plain },
    { model: "a/pinned", targets: [{ upstream: "b", model: "small-1", weight: 1 }], ...plain },
    { model: "closed", targets: [{ upstream: "gone", weight: 1 }], ...plain },
  ],
  upstreams,
  (upstream, model) => upstream.id === "a" && model === "a/auto",
);

function leads(model: string): string[] | undefined {
  return table.resolve(model)?.targets.map((target) => `${target.upstream.id}:${target.model}`);
}

test("an exact route wins over a pattern before it", () => {
  expect(leads("gpt-4")).toEqual(["b:gpt-4"]);
});

test("a pattern's targets get the asked name or their own", () => {
  expect(leads("gpt-5/x")).toEqual(["a:gpt-5/x", "b:own"]);
});

test("a route for a name wins over the address that the name looks like", () => {
  expect(leads("a/pinned")).toEqual(["b:small-1"]);
});

test("an address leads to one upstream, slashes in the model's name included, within what it may offer", () => {
  expect(leads("a/x/y")).toEqual(["a:x/y"]);
  expect(leads("b/small-2")).toEqual(["b:small-2"]);
  expect(leads("b/large")).toBeUndefined();
  expect(leads("a/")).toBeUndefined();
  expect(leads("nobody/x")).toBeUndefined();
});

test("a name that its upstream lists is no address, though it looks like one", () => {
  expect(leads("a/auto")).toBeUndefined();
  expect(leads("a/a/auto")).toEqual(["a:a/auto"]);
});

test("a route to an upstream that isn't open has no targets, and is still the route", () => {
  expect(table.resolve("closed")).toEqual({
    via: "route closed",
    targets: [],
    absent: ["gone"],
    strategy: "failover",
    onContextLength: "fail",
  });
});

test("all ways of a name are known, the one that is taken first", () => {
  const ways = (model: string) => [...table.matches(model)].map(({ via }) => via);
  expect(ways("gpt-4")).toEqual(["route gpt-4", "route gpt-*"]);
  expect(ways("a/pinned")).toEqual(["route a/pinned", "address a/pinned"]);
  expect(ways("nobody/x")).toEqual([]);
});
