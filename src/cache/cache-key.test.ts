import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { requestOf } from "../../test/support/request-of.ts";
import { CHAT_REQUEST_FIELD_NAMES, CHAT_REQUEST_FIELDS } from "../../test/support/chat-request-fields.ts";
import type { ChatRequest, Json, JsonObject } from "../contract/index.ts";
import { parseLossless } from "../json/lossless.ts";
import { retainSource } from "../json/source.ts";
import type { KeyParts } from "./cache-key.ts";
import { cacheKey, RepeatedRequests } from "./cache-key.ts";
import type { Target } from "../targets/route-table.ts";

const NEVER_IN_THE_ANSWER = [
  "metadata",
  "prompt_cache_key",
  "prompt_cache_options",
  "prompt_cache_retention",
  "safety_identifier",
  "store",
  "stream",
  "stream_options",
  "user",
];

function target(model: string, upstream = { id: "one", plugin: "a" }): Target {
  return { upstream, model, weight: 1 } as Target;
}

const PARTS: KeyParts = {
  endpoint: "/v1/chat/completions",
  target: target("m"),
  sharedBy: "alice",
  headers: {},
};
const ALL: JsonObject = CHAT_REQUEST_FIELDS;
const keyOf = (request: object, parts: Partial<KeyParts> = {}) =>
  cacheKey(requestOf(request), { ...PARTS, ...parts });

/** Another value of the same shape, with one change as deep inside as can be. */
function mutated(value: Json | undefined): Json {
  if (typeof value === "string") return `${value}.`;
  if (typeof value === "number") return value + 1;
  if (typeof value === "boolean") return !value;
  if (Array.isArray(value)) return [...value.slice(0, -1), mutated(value.at(-1) as Json)];
  const [name = "", member] = Object.entries(value as JsonObject).at(-1) ?? [];
  return { ...(value as JsonObject), [name]: mutated(member) };
}

function withoutField(field: string): object {
  return Object.fromEntries(Object.entries(ALL).filter(([name]) => name !== field));
}

describe("each field of the request", () => {
  const inTheAnswer = CHAT_REQUEST_FIELD_NAMES.filter(
    (field) => field !== "model" && !NEVER_IN_THE_ANSWER.includes(field),
  );

  test.each(inTheAnswer)(
    "%s makes it another request when it is changed or left out, which null says too",
    (field) => {
      const changed = [{ ...ALL, [field]: mutated(ALL[field]) }, withoutField(field)];
      const keys = [ALL, ...changed].map((request) => keyOf(request));
      expect(new Set(keys).size).toBe(3);
      expect(keyOf({ ...ALL, [field]: null })).toBe(keyOf(withoutField(field)));
    },
  );

  test("but no bound for a completion is another request than the server's own", () => {
    expect(keyOf({ prompt: "a", max_tokens: null })).not.toBe(keyOf({ prompt: "a" }));
    expect(keyOf({ prompt: "a", seed: null })).toBe(keyOf({ prompt: "a" }));
  });

  test.each(NEVER_IN_THE_ANSWER)("but for %s, which says nothing of the answer", (field) => {
    expect(keyOf({ ...ALL, [field]: mutated(ALL[field]) })).toBe(keyOf(ALL));
    expect(keyOf(withoutField(field))).toBe(keyOf(ALL));
  });

  test("one that nobody knows yet counts as well", () => {
    expect(keyOf({ ...ALL, brand_new: 1 })).not.toBe(keyOf(ALL));
    expect(keyOf({ ...ALL, brand_new: 1 })).not.toBe(keyOf({ ...ALL, brand_new: 2 }));
  });

  test("below the top nothing is left out", () => {
    const about = (metadata: number) => ({ ...ALL, tools: [{ type: "function", metadata }] });
    expect(keyOf(about(1))).not.toBe(keyOf(about(2)));
  });
});

describe("beside the request", () => {
  test.each([
    ["the target's model", { target: target("n") }],
    ["the upstream", { target: target("m", { id: "two", plugin: "a" }) }],
    ["its plugin", { target: target("m", { id: "one", plugin: "b" }) }],
    ["the endpoint", { endpoint: "/v1/completions" }],
    ["the key", { sharedBy: "bob" }],
    ["that all keys share it", { sharedBy: undefined }],
  ])("%s counts", (_, parts) => {
    expect(keyOf(ALL, parts)).not.toBe(keyOf(ALL));
  });

  test("the name that the client has for the model doesn't", () => {
    expect(keyOf({ ...ALL, model: "alias" })).toBe(keyOf(ALL));
  });

  test("no part can pass for a piece of the next", () => {
    const upstream = { id: "on", plugin: "ea" };
    expect(keyOf(ALL, { target: target("m", upstream) })).not.toBe(keyOf(ALL));
  });
});

describe("two values have the same key", () => {
  test("if their members only stand in another order", () => {
    const shuffled = (value: Json): Json => {
      if (Array.isArray(value)) return value.map((item: Json) => shuffled(item));
      if (typeof value !== "object" || value === null) return value;
      return Object.fromEntries(
        Object.entries(value)
          .toReversed()
          .map(([name, member]) => [name, shuffled(member as Json)]),
      );
    };
    expect(keyOf(shuffled(ALL) as JsonObject)).toBe(keyOf(ALL));
  });

  test("only if they are the same JSON", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (one, other) => {
        const same = Bun.deepEquals(JSON.parse(JSON.stringify(one)), JSON.parse(JSON.stringify(other)));
        expect(keyOf({ field: one }) === keyOf({ field: other })).toBe(same);
      }),
      { numRuns: 2_000 },
    );
  });

  test.each([
    ["a number", 1, "1"],
    ["nothing", null, "null"],
    ["an empty list", [], {}],
    ["a list of one", ["a"], "a"],
    ["a nested list", [["a"], "b"], [["a", "b"]]],
    ["a name and its value", { "a:b": "c" }, { a: "b:c" }],
    ["half a character", "\ud800", "\ud801"],
    ["half a character and what stands for it", "\ud800", "\ufffd"],
  ])("but not %s and what is written like it", (_, one, other) => {
    expect(keyOf({ field: one })).not.toBe(keyOf({ field: other }));
  });
});

describe("a request whose key is remembered", () => {
  const repeated = new RepeatedRequests();
  const written = (text: string): ChatRequest => {
    const request = JSON.parse(text) as ChatRequest;
    retainSource(request, { bytes: new TextEncoder().encode(text), members: [], ascii: false });
    return request;
  };
  const asking = (what: string): ChatRequest =>
    written(`{"model":"m","messages":[{"role":"user","content":${JSON.stringify(what)}}]}`);

  const keyFor = (request: ChatRequest, parts: Partial<KeyParts> = {}) =>
    repeated.keyOf(requestOf(request), { ...PARTS, ...parts });

  test("has the same key again, and so has whoever writes it in other bytes", () => {
    const key = keyOf(asking("again"));
    repeated.remember(requestOf(asking("again")), PARTS, key);
    expect(keyFor(asking("again"))).toBe(key);
    const otherwise = written(JSON.stringify(asking("again"), undefined, 2));
    expect(keyFor(otherwise)).toBeUndefined();
    expect(keyOf(otherwise)).toBe(key);
  });

  test("gives it to no other request, endpoint, model, upstream or key", () => {
    const remembered = asking("once");
    repeated.remember(requestOf(remembered), PARTS, keyOf(remembered));
    expect(keyFor(asking("twice"))).toBeUndefined();
    const others: Partial<KeyParts>[] = [
      { endpoint: "/v1/completions" },
      { target: target("n") },
      { target: target("m", { id: "two", plugin: "a" }) },
      { target: target("m", { id: "one", plugin: "b" }) },
      { sharedBy: "bob" },
      { headers: { "x-beta": "one" } },
    ];
    for (const parts of others) expect(keyFor(remembered, parts)).toBeUndefined();
    expect(keyFor(remembered)).toBe(keyOf(remembered));
  });

  test("is forgotten once many others came", () => {
    repeated.remember(requestOf(asking("early")), PARTS, "remembered");
    expect(keyFor(asking("early"))).toBe("remembered");
    for (let count = 0; count < 1_000; count++) {
      const other = asking(`later ${count}`);
      repeated.remember(requestOf(other), PARTS, keyOf(other));
    }
    expect(keyFor(asking("early"))).toBeUndefined();
  });

  test("isn't remembered where it is long", () => {
    const long = asking("x".repeat(20_000));
    repeated.remember(requestOf(long), PARTS, "remembered");
    expect(keyFor(long)).toBeUndefined();
  });
});

test("numbers that JavaScript can't hold are the same only with the same digits, in whatever bytes", () => {
  const asked = (seed: string) =>
    keyOf(parseLossless(`{"model":"m","seed":${seed},"x":[${seed}]}`) as object);
  const seeds = ["9007199254740993", "9007199254740992", "9007199254740995", "1e400", "1e401", "null"];
  expect(new Set(seeds.map(asked)).size).toBe(seeds.length);
  expect(asked("9007199254740993")).toBe(asked(" 9007199254740993 "));
});
