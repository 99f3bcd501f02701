import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { startGateway } from "../support/gateway.ts";
import type { Step } from "../support/scripted-gateway.ts";
import { HELLO } from "../support/scripted-gateway.ts";
import type { Several, SeveralGateway } from "../support/several-gateway.ts";
import { startSeveral } from "../support/several-gateway.ts";

/**
 * Which upstream a request goes to, and with which name of its model.
 * @module
 */
const MIRROR: Step[] = [{ mirror: true }, { type: "finish", reason: "stop" }];
const FAILS: Step[] = [{ fail: "rejected", message: "wrong key" }];

function mirrors(...models: readonly string[]): Several {
  return { answers: Object.fromEntries(models.map((model) => [model, MIRROR])) };
}

const UPSTREAMS: Readonly<Record<string, Several>> = {
  one: mirrors("gpt-4", "shared", "deep/family/model:free", "secret", "new-1", "new/2"),
  two: { ...mirrors("gpt-4", "shared", "small", "large", "new-1"), models: ["gpt-*", "s*", "new-1"] },
  off: { ...mirrors("gpt-4"), enabled: false },
  broken: { answers: { shared: FAILS, only: FAILS } },
};

const ROUTES = [
  { model: "gpt-*", targets: ["two"] },
  { model: "gpt-4", targets: ["one"] },
  { model: "alias", targets: [{ upstream: "two", model: "small" }] },
  { model: "new*", targets: [{ upstream: "two", model: "new-1" }] },
  { model: "one/secret", targets: [{ upstream: "two", model: "small" }] },
  { model: "half", targets: ["off", { upstream: "one", model: "shared" }] },
  { model: "closed", targets: ["off"] },
];

const KEYS = `
keys:
  - { name: all, key: sk-test-0123456789 }
  - { name: few, key: sk-few-0123456789, models: [alias, "deep/*"] }
`;

let gateway: SeveralGateway;
beforeAll(async () => {
  gateway = await startSeveral(UPSTREAMS, `routes: ${JSON.stringify(ROUTES)}\n${KEYS}`);
});
afterAll(() => gateway[Symbol.asyncDispose]());

const messages = [{ role: "user", content: "Well?" }];

function ask(model: string, key = "sk-test-0123456789"): Promise<Response> {
  return gateway.chat({ model, messages }, { headers: { authorization: `Bearer ${key}` } });
}

/** `upstream: model` as the upstream was asked, or the status and code with which it was refused. */
async function ledTo(model: string, key?: string): Promise<string> {
  const response = await ask(model, key);
  const body = (await response.json()) as {
    choices?: [{ message: { content: string } }];
    error?: { code: string };
  };
  if (!body.choices) return `${response.status} ${body.error?.code}`;
  const asked = JSON.parse(body.choices[0].message.content) as { model: string };
  return `${response.headers.get("x-modelyard-upstream")}: ${asked.model}`;
}

describe("a model's name leads", () => {
  test("by its exact route before any pattern, wherever they stand in the file", async () => {
    expect(await ledTo("gpt-4")).toBe("one: gpt-4");
  });

  test("by the first pattern that fits; a star stands for slashes, too", async () => {
    expect(await ledTo("new-1")).toBe("two: new-1");
    expect(await ledTo("new/2")).toBe("two: new-1");
    expect(await ledTo("newer/than/all of it")).toBe("two: new-1");
  });

  test("by an alias to another name", async () => {
    expect(await ledTo("alias")).toBe("two: small");
  });

  test("by the address of an upstream, slashes in its own name of the model included", async () => {
    expect(await ledTo("one/shared")).toBe("one: shared");
    expect(await ledTo("two/shared")).toBe("two: shared");
    expect(await ledTo("one/deep/family/model:free")).toBe("one: deep/family/model:free");
  });

  test("by a route rather than by the address that it looks like", async () => {
    expect(await ledTo("one/secret")).toBe("two: small");
  });

  test("to the upstreams that list it, in file order", async () => {
    expect(await ledTo("deep/family/model:free")).toBe("one: deep/family/model:free");
    expect(await ledTo("shared")).toBe("one: shared");
  });

  test("only to what an upstream may offer", async () => {
    expect(await ledTo("small")).toBe("two: small");
    expect(await ledTo("large")).toBe("404 model_not_found");
    expect(await ledTo("two/large")).toBe("404 model_not_found");
  });

  test("past upstreams that are disabled", async () => {
    expect(await ledTo("half")).toBe("one: shared");
    expect(await ledTo("off/gpt-4")).toBe("404 model_not_found");
  });

  test("to a 503 when all that it could lead to are disabled", async () => {
    const response = await ask("closed");
    expect(response.status).toBe(503);
    expect(response.headers.get("retry-after")).toBe("1");
    expect(await response.json()).toMatchObject({
      error: { code: "upstream_unavailable", message: "route closed leads to no upstream that is open now" },
    });
  });
});

test("a model that several upstreams list fails over in file order, without a route", async () => {
  const { one, two, broken } = UPSTREAMS as Record<"one" | "two" | "broken", Several>;
  await using other = await startSeveral({ broken, two, one });
  const response = await other.chat({ model: "shared", messages });
  expect(response.headers.get("x-modelyard-upstream")).toBe("two");
  expect(response.headers.get("x-modelyard-attempts")).toBe("2");
  expect(other.calls()).toEqual({ broken: 1, two: 1, one: 0 });
});

describe("a key", () => {
  test("may ask for what its list names, whatever that leads to", async () => {
    expect(await ledTo("alias", "sk-few-0123456789")).toBe("two: small");
    expect(await ledTo("deep/family/model:free", "sk-few-0123456789")).toBe("one: deep/family/model:free");
  });

  test("gets nowhere by another name of the same model", async () => {
    for (const model of ["small", "two/small", "one/deep/family/model:free", "shared", "Alias", " alias"]) {
      expect(await ledTo(model, "sk-few-0123456789")).toBe("403 model_not_allowed");
    }
  });

  test("learns nothing of models that it may not use", async () => {
    const response = await ask("deep/famly/model:free", "sk-few-0123456789");
    expect(response.status).toBe(404);
    const { error } = (await response.json()) as { error: { message: string } };
    expect(error.message).toBe(
      'there is no model "deep/famly/model:free"; did you mean "deep/family/model:free"?',
    );
    const unlike = await ask("deep/alais", "sk-few-0123456789");
    expect(await unlike.text()).not.toMatch(/shared|small|gpt/);
  });
});

test("an unknown model is a 404 that names the nearest", async () => {
  const response = await ask("shard");
  expect(response.status).toBe(404);
  expect(await response.json()).toMatchObject({
    error: {
      code: "model_not_found",
      param: "model",
      message: 'there is no model "shard"; did you mean "shared"?',
    },
  });
});

test("routes that can't be reached and upstreams that aren't there are mistakes of the file", async () => {
  const routes = [
    { model: "new*", targets: ["one"] },
    { model: "new/*", targets: ["one"] },
    { model: "x", targets: ["nobody"] },
  ];
  const starting = startSeveral({ one: { answers: { x: HELLO } } }, `routes: ${JSON.stringify(routes)}\n`);
  const message = await starting.then(
    () => "started",
    (error: Error) => error.message,
  );
  expect(message).toContain("never reached");
  expect(message).toContain("there is no upstream of this name");
});

test("a model that only an upstream out of reach may have is not called unknown", async () => {
  const down = `import { definePlugin, Type, UpstreamError } from "modelyard/plugin";
    export default definePlugin({ apiVersion: 1, name: "down", options: Type.Object({}),
      open: () => ({ models: async () => { throw new UpstreamError("unavailable", "nobody is there"); }, chat() { throw new Error("never asked"); } }) });`;
  await using gateway = await startGateway("upstreams: { down: { plugin: ./down.ts } }\n", {
    files: { "down.ts": down },
  });
  const response = await gateway.chat({ model: "small", messages: [{ role: "user", content: "Hi" }] });
  expect(response.status).toBe(503);
  expect(response.headers.get("retry-after")).toBe("1");
  expect(await response.json()).toMatchObject({
    error: { code: "upstream_unavailable", message: expect.stringContaining('"down" can\'t be asked') },
  });
});
