import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Step } from "../support/scripted-gateway.ts";
import { HELLO } from "../support/scripted-gateway.ts";
import type { SeveralGateway } from "../support/several-gateway.ts";
import { startSeveral } from "../support/several-gateway.ts";

/**
 * What upstreams say that their models can do: who is asked for what, and what clients read of it.
 * @module
 */
const FULL = { tools: true, vision: true, json_schema: true, context: 128_000 };
const PLAIN = { tools: false, vision: false, json_schema: false, context: 4_096 };
const BOTH = { m: HELLO, other: HELLO };

const ROUTES = [
  { model: "m", targets: ["plain", "unknown", "full"] },
  {
    model: "either",
    targets: [
      { upstream: "plain", model: "m" },
      { upstream: "full", model: "m" },
    ],
  },
  { model: "simple", targets: [{ upstream: "plain", model: "m" }] },
  { model: "closed", targets: ["off"] },
  { model: "gone-*", targets: ["off"] },
];

const KEYS = `
keys:
  - { name: all, key: sk-test-0123456789 }
  - { name: few, key: sk-few-0123456789, models: ["e*", "gone-*"] }
  - { name: one, key: sk-one-0123456789, models: ["full/*", "simple"] }
`;

let gateway: SeveralGateway;
beforeAll(async () => {
  gateway = await startSeveral(
    {
      plain: { answers: { ...BOTH, "gone-1": HELLO }, capabilities: { m: PLAIN } },
      unknown: { answers: { m: HELLO } },
      full: { answers: BOTH, capabilities: { m: FULL } },
      off: { answers: { hidden: HELLO }, enabled: false },
    },
    `routes: ${JSON.stringify(ROUTES)}\n${KEYS}`,
  );
  // What models can do is known once their upstreams have been asked for their lists.
  await models();
});
afterAll(() => gateway[Symbol.asyncDispose]());

const IMAGE = { type: "image_url", image_url: { url: "data:image/png;base64,AA==" } };
const messages = [{ role: "user", content: "Well?" }];
const seeing = [{ role: "user", content: [{ type: "text", text: "What is it?" }, IMAGE] }];
const tools = [{ type: "function", function: { name: "look", parameters: {} } }];
const format = { type: "json_schema", json_schema: { name: "x", schema: {} } };

interface Listed {
  readonly id: string;
  readonly capabilities?: object;
}

async function models(key = "sk-test-0123456789"): Promise<readonly Listed[]> {
  const response = await fetch(`${gateway.baseURL}/models`, { headers: { authorization: `Bearer ${key}` } });
  return ((await response.json()) as { data: Listed[] }).data;
}

async function answeredBy(body: object): Promise<string | null> {
  const response = await gateway.chat({ model: "m", messages, ...body });
  expect(response.status).toBe(200);
  expect(response.headers.get("x-modelyard-attempts")).toBe("1");
  await response.text();
  return response.headers.get("x-modelyard-upstream");
}

describe("a target that can't do what is asked", () => {
  test("is passed over; where it isn't known, it is tried", async () => {
    expect(await answeredBy({})).toBe("plain");
    expect(await answeredBy({ tools })).toBe("unknown");
    expect(await answeredBy({ messages: seeing })).toBe("unknown");
    expect(await answeredBy({ response_format: format })).toBe("unknown");
    expect(await answeredBy({ model: "either", tools, messages: seeing })).toBe("full");
  });

  test("is asked all the same for what everyone can", async () => {
    expect(await answeredBy({ tools: [], response_format: { type: "json_object" } })).toBe("plain");
    expect(await answeredBy({ tools: null, response_format: { type: "text" } })).toBe("plain");
  });

  test("costs a 400 that names the parameter when there is no other", async () => {
    const cases = [
      [{ tools }, "tools", "tools"],
      [{ messages: seeing }, "messages[0].content[1]", "images"],
      [{ response_format: format }, "response_format", "a response_format of type json_schema"],
    ] as const;
    const before = gateway.calls();
    for (const [body, param, words] of cases) {
      const response = await gateway.chat({ model: "simple", messages, ...body });
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({
        error: { code: "unsupported_parameter", param, message: `no upstream for this model takes ${words}` },
      });
    }
    expect(gateway.calls()).toEqual(before);
  });

  test("may say so itself, and the next is asked", async () => {
    const cannot: Step = { fail: "unsupported", message: "no seeds here", param: "seed" };
    const yaml = "routes: [{ model: m, targets: [a, b] }]\n";
    await using other = await startSeveral({ a: { answers: { m: [cannot] } }, b: { answers: BOTH } }, yaml);
    const response = await other.chat({ model: "m", messages, seed: 7 });
    expect(response.headers.get("x-modelyard-upstream")).toBe("b");
  });
});

describe("GET /v1/models", () => {
  test("lists exactly what would be answered: routes, and what upstreams list, each once", async () => {
    const ids = (await models()).map(({ id }) => id);
    expect(ids).toEqual(["m", "either", "simple", "other"]);
    for (const model of ids) expect(await answeredBy({ model })).toBeString();
    for (const model of ["closed", "gone-1"]) {
      expect((await gateway.chat({ model, messages })).status).toBe(503);
    }
  });

  test("lists for each key what it may use", async () => {
    expect((await models("sk-few-0123456789")).map(({ id }) => id)).toEqual(["either"]);
  });

  test("lists what a key may use only of one upstream by the name that leads there", async () => {
    const key = "sk-one-0123456789";
    const asOne = { headers: { authorization: `Bearer ${key}` } };
    const ids = (await models(key)).map(({ id }) => id);
    expect(ids).toEqual(["simple", "full/m", "full/other"]);
    for (const model of ids) expect((await gateway.chat({ model, messages }, asOne)).status).toBe(200);
    expect((await models(key)).find(({ id }) => id === "full/m")?.capabilities).toEqual(FULL);
  });

  test("says what each can do, and nothing where nothing is known", async () => {
    const listed = Object.fromEntries((await models()).map(({ id, capabilities }) => [id, capabilities]));
    expect(listed).toEqual({
      m: { tools: true, vision: true, json_schema: true, context: 4_096 },
      either: { tools: true, vision: true, json_schema: true, context: 4_096 },
      simple: PLAIN,
      other: undefined,
    });
    expect((await models()).find(({ id }) => id === "other")).not.toContainKey("capabilities");
  });

  test("says the same of one model, by any of its names", async () => {
    const one = async (id: string) => {
      const headers = { authorization: "Bearer sk-test-0123456789" };
      return (await (await fetch(`${gateway.baseURL}/models/${id}`, { headers })).json()) as unknown;
    };
    expect(await one("simple")).toMatchObject({ id: "simple", capabilities: PLAIN });
    expect(await one("full/m")).toMatchObject({ id: "full/m", capabilities: FULL });
    expect(await one("other")).not.toContainKey("capabilities");
    expect(await one("closed")).toMatchObject({ error: { code: "upstream_unavailable" } });
  });
});
