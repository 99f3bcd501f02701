import { afterAll, describe, expect, test } from "bun:test";
import type { Answers } from "../support/scripted-gateway.ts";
import { HELLO, startScripted } from "../support/scripted-gateway.ts";

/**
 * What clients make of a base URL, and the list of models they then ask for.
 * @module
 */
const ANSWERS: Answers = {
  hello: HELLO,
  "vendor/model": HELLO,
};

const gateway = await startScripted(ANSWERS);
const KEY = gateway.key;
afterAll(() => gateway[Symbol.asyncDispose]());

const QUESTION = { messages: [{ role: "user", content: "Well?" }] };

interface ErrorBody {
  readonly error: { message: string; type: string; param: string | null; code: string };
}

describe("base URLs", () => {
  test.each([
    "/v1/chat/completions",
    "//v1/chat/completions",
    "/v1//chat/completions",
    "/v1/v1/chat/completions",
    "/v1/v1/v1/chat/completions",
    "/v1/chat/completions/",
    "/chat/completions",
    "/v1/chat/completions?api-version=2024-06-01",
    "//v1/v1//chat//completions/?x=/v1/models",
  ])("POST %s asks for a chat", async (path) => {
    const response = await fetch(gateway.url + path, {
      method: "POST",
      headers: { authorization: `Bearer ${KEY}` },
      body: JSON.stringify({ model: "hello", ...QUESTION }),
    });
    expect(response.status).toBe(200);
    expect(response.headers.get("x-request-id")).toMatch(/^req_/);
    await response.json();
  });

  test.each([
    "/v1/models",
    "//v1/models",
    "/v1/v1/models",
    "/v1/models/",
    "/v1/models//",
    "/models",
    "/v1/models?user=u1&limit=100",
  ])("GET %s lists the models", async (path) => {
    const response = await fetch(gateway.url + path, { headers: { authorization: `Bearer ${KEY}` } });
    expect(await response.json()).toMatchObject({ object: "list" });
  });

  test.each([
    "/v1/models/vendor/model",
    "/v1/v1/models/vendor/model",
    "//v1/models/vendor%2Fmodel",
    "/models/vendor%2fmodel?x=1",
    "/v1/models/vendor/model/",
  ])("GET %s tells of one model", async (path) => {
    const response = await fetch(gateway.url + path, { headers: { authorization: `Bearer ${KEY}` } });
    expect(await response.json()).toMatchObject({ id: "vendor/model", object: "model" });
  });

  test.each(["/v1/fim/completions", "/v2/chat/completions", "/v1x", "/v1/chat", "/wp-login.php", "/v1"])(
    "POST %s is a 404 in OpenAI's form",
    async (path) => {
      const response = await fetch(gateway.url + path, { method: "POST", body: "{}" });
      expect(response.status).toBe(404);
      expect(response.headers.get("content-type")).toStartWith("application/json");
      expect(((await response.json()) as ErrorBody).error.code).toBe("unknown_url");
    },
  );

  test.each([
    ["GET", "/v1/chat/completions", "POST"],
    ["PUT", "/v1/chat/completions", "POST"],
    ["POST", "/v1/models", "GET, HEAD"],
    ["DELETE", "/v1/models/hello", "GET, HEAD"],
    ["POST", "/health", "GET, HEAD"],
    ["GET", "/v1/v1/chat/completions", "POST"],
  ])("%s %s is a 405 that names what is taken", async (method, path, allow) => {
    const response = await fetch(gateway.url + path, { method });
    expect(response.status).toBe(405);
    expect(response.headers.get("allow")).toBe(allow);
    expect(((await response.json()) as ErrorBody).error.code).toBe("method_not_allowed");
  });
});

describe("models", () => {
  test("the list has the shape that clients check, with whole seconds, and comes at once", async () => {
    const began = performance.now();
    const response = await fetch(`${gateway.baseURL}/models`, {
      headers: { authorization: `Bearer ${KEY}` },
    });
    const list = (await response.json()) as { object: string; data: Record<string, unknown>[] };
    expect(performance.now() - began).toBeLessThan(1_000);
    expect(list.object).toBe("list");
    expect(list.data.map((model) => model["id"])).toContain("vendor/model");
    for (const model of list.data) {
      expect(model).toEqual({
        id: expect.any(String),
        object: "model",
        created: 1_700_000_000,
        owned_by: "script",
      });
    }
  });

  test("an upstream that doesn't list its models costs the list at most the time LibreChat waits", async () => {
    const files = { "mute.ts": MUTE_PLUGIN };
    const yaml = "  mute: { plugin: ./mute.ts }\n";
    await using slow = await startScripted({ hello: HELLO }, { files, yaml });
    const response = await fetch(`${slow.baseURL}/models`, {
      headers: { authorization: `Bearer ${slow.key}` },
      signal: AbortSignal.timeout(5_000),
    });
    expect(await response.json()).toMatchObject({ data: [{ id: "hello" }] });
  });
});

const MUTE_PLUGIN = `
  import { definePlugin, Type, UpstreamError } from "modelyard/plugin";
  export default definePlugin({
    apiVersion: 1, name: "mute", options: Type.Object({}),
    open: () => ({
      models: () => new Promise(() => {}),
      chat() { throw new UpstreamError("unavailable", "mute"); },
    }),
  });
`;
