import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { Json, JsonObject } from "modelyard/plugin";
import { jsonAnswer, startFaultUpstream } from "../../test/support/fault-upstream.ts";
import type { FaultUpstream } from "../../test/support/fault-upstream.ts";
import { openaiWith } from "../../test/support/openai-upstream.ts";
import { testCall } from "../../test/support/plugin-host.ts";

let server: FaultUpstream;
beforeEach(async () => {
  server = await startFaultUpstream();
});
afterEach(() => server[Symbol.asyncDispose]());

const { signal } = testCall().call;

describe("models", () => {
  async function listed(body: Json, options = {}) {
    server.respond = (exchange) => exchange.send(jsonAnswer(body));
    await using opened = await openaiWith({ base_url: `${server.url}/v1`, api_key: "sk", ...options });
    return opened.upstream.models(signal);
  }

  test.each<{ body: Json }>([
    {
      body: {
        object: "list",
        data: [
          { id: "a", object: "model", created: 1, owned_by: "o" },
          { id: "b", created: 1_700_000_000_000 },
        ],
      },
    },
    {
      body: [
        { id: "a", created: 1, organization: "o" },
        { id: "b", created: 1_700_000_000 },
        { id: "a" },
        { id: "" },
        5,
        null,
      ],
    },
    {
      body: {
        models: [
          { name: "a", created: 1, owned_by: "o" },
          { model: "b", created: 1_700_000_000 },
        ],
      },
    },
  ])("are understood in each shape: %j", async ({ body }) => {
    expect(await listed(body)).toEqual([
      { id: "a", ownedBy: "o", created: 1 },
      { id: "b", created: 1_700_000_000 },
    ]);
    expect(server.requests[0]).toMatchObject({ method: "GET", path: "/v1/models" });
    expect(server.requests[0]?.headers.get("authorization")).toBe("Bearer sk");
  });

  test("may be names only", async () => {
    expect(await listed(["a", "b"])).toEqual([{ id: "a" }, { id: "b" }]);
  });

  test.each<[string, JsonObject, object]>([
    [
      "OpenRouter",
      {
        context_length: 131072,
        architecture: { input_modalities: ["text", "image"] },
        top_provider: { context_length: 131072, max_completion_tokens: 8192 },
        supported_parameters: ["tools", "reasoning", "temperature"],
      },
      { tools: true, vision: true, json_schema: false, reasoning: true, context: 131072, output: 8192 },
    ],
    ["vLLM", { max_model_len: 4096 }, { context: 4096 }],
    ["Groq", { context_window: 8192, max_completion_tokens: 1024 }, { context: 8192, output: 1024 }],
    [
      "Mistral",
      {
        capabilities: { completion_chat: true, function_calling: true, vision: false },
        max_context_length: 32768,
      },
      { tools: true, vision: false, context: 32768 },
    ],
    [
      "Fireworks",
      { supports_chat: true, supports_tools: false, supports_image_input: true, context_length: 65536 },
      { tools: false, vision: true, context: 65536 },
    ],
    ["Together", { type: "chat", context_length: 2048 }, { context: 2048 }],
    ["llama.cpp", { meta: { n_ctx_train: 32768 } }, { context: 32768 }],
  ])("bring what %s tells of their capabilities", async (_, entry, capabilities) => {
    expect(await listed({ data: [{ id: "m", ...entry }] })).toEqual([{ id: "m", capabilities }]);
  });

  test("that say nothing, or nonsense, of capabilities have none", async () => {
    const entry = { id: "m", context_length: null, capabilities: [], architecture: "x", max_model_len: 0 };
    expect(await listed({ data: [entry] })).toEqual([{ id: "m" }]);
  });

  test("may be fixed; then nobody is asked", async () => {
    const models = ["a", { id: "b", tools: true, context: 8192 }];
    expect(await listed({}, { models })).toEqual([
      { id: "a" },
      { id: "b", capabilities: { tools: true, context: 8192 } },
    ]);
    expect(server.requests).toEqual([]);
  });

  test("are asked for with another key if one is refused", async () => {
    server.respond = (exchange) => {
      const good = exchange.headers.get("authorization") === "Bearer two";
      exchange.send(good ? jsonAnswer({ data: [{ id: "a" }] }) : jsonAnswer({ error: "no" }, 401));
    };
    const api_keys = [{ key: "one" }, { key: "two" }];
    await using opened = await openaiWith({ base_url: server.url, api_keys });
    expect(await opened.upstream.models(signal)).toEqual([{ id: "a" }]);
    await using single = await openaiWith({ base_url: server.url, api_key: "one" });
    await expect(single.upstream.models(signal)).rejects.toMatchObject({ code: "rejected" });
  });

  test("that can't be had are an error", async () => {
    await expect(listed({ data: "none" })).rejects.toMatchObject({ code: "bad-response" });
    await using gone = await openaiWith({ base_url: "http://127.0.0.1:1" });
    await expect(gone.upstream.models(signal)).rejects.toMatchObject({ code: "unreachable" });
    server.respond = () => undefined;
    await using silent = await openaiWith({ base_url: server.url });
    const leaver = testCall();
    const asked = silent.upstream.models(leaver.call.signal);
    leaver.abort(new Error("left"));
    await expect(asked).rejects.toThrow("left");
  });
});
