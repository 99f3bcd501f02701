import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { ScriptedGateway, Step } from "../support/scripted-gateway.ts";
import { HELLO, say, spent, startScripted, stop } from "../support/scripted-gateway.ts";
import { readFrames, textOf } from "../support/sse-frames.ts";

/**
 * The ways of real clients: how they send keys, what they make of a base URL, what browsers ask first, and
 * what the strictest of them want in each chunk.
 * @module
 */
const ANSWERS: Readonly<Record<string, readonly Step[]>> = {
  hello: HELLO,
  "vendor/model": HELLO,
  rich: [
    { type: "usage", usage: { input: 4, output: 1 } },
    { type: "reasoning", text: "Hm. " },
    say("One call:\n\n"),
    { type: "usage", usage: { input: 4, output: 5 } },
    { type: "tool-call", index: 3, id: "call_x", name: "look", arguments: '{"q":' },
    { type: "tool-call", index: 3, id: "call_x", name: "look", arguments: '"\\n"}' },
    { type: "tool-call", index: 4, arguments: '{"early":' },
    { type: "tool-call", index: 4, name: "write", arguments: "true}" },
    { type: "finish", reason: "stop", native: "end_turn" },
    spent(4, 9),
  ],
  empty: [stop()],
  "breaks-off": [say("Once upon"), { fail: "failed", message: "the engine\ncaught fire" }],
  limited: [{ fail: "rate-limited", message: "slow down", retryAfterMs: 1_001 }],
  down: [{ fail: "unavailable", message: "nobody is at home" }],
  "no-key": [{ fail: "no-credential", message: "all keys are resting", retryAfterMs: 61_000 }],
};

const KEY = "sk-good-0123456789";
let gateway: ScriptedGateway;

beforeAll(async () => {
  const yaml = `keys: [{ name: good, key: ${KEY} }]\nserver: { port: 0, max_body: 64KiB }\n`;
  gateway = await startScripted(ANSWERS, { yaml });
});
afterAll(() => gateway[Symbol.asyncDispose]());

const QUESTION = { messages: [{ role: "user", content: "Well?" }] };

function post(model: string, extra: object = {}, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${gateway.baseURL}/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${KEY}`, "content-type": "application/json", ...headers },
    body: JSON.stringify({ model, ...QUESTION, ...extra }),
  });
}

interface ErrorBody {
  readonly error: { message: string; type: string; param: string | null; code: string };
}

describe("keys", () => {
  const ask = (headers: Record<string, string>) => fetch(`${gateway.baseURL}/models`, { headers });

  test.each<Record<string, string>>([
    { authorization: `Bearer ${KEY}` },
    { authorization: `bearer ${KEY}` },
    { authorization: `BEARER   ${KEY}  ` },
    { authorization: `Bearer Bearer ${KEY}` },
    { authorization: `Bearer bearer ${KEY}` },
    { authorization: `Bearer\t${KEY}` },
    { authorization: KEY },
    { "x-api-key": KEY },
    { "api-key": ` ${KEY} ` },
    { authorization: `Bearer ${KEY}`, "api-key": "", "x-api-key": "" },
    { authorization: "Bearer ", "x-api-key": KEY },
    { authorization: "Bearer", "api-key": KEY },
    { authorization: "", "api-key": KEY },
    { authorization: "Bearer sk-of-somewhere-else", "x-api-key": KEY },
  ])("%o is let in", async (headers) => {
    expect((await ask(headers)).status).toBe(200);
  });

  test.each<Record<string, string>>([
    {},
    { authorization: "" },
    { authorization: "Bearer" },
    { authorization: "Bearer " },
    { authorization: "Bearer Bearer" },
    { authorization: "Bearer undefined" },
    { authorization: `Bearer ${KEY}x` },
    { authorization: `Bearer ${KEY.slice(0, -1)}` },
    { authorization: `Bearer ${KEY.toUpperCase()}` },
    { authorization: `Basic ${btoa(`:${KEY}`)}` },
    { authorization: `Bearer ${"x".repeat(8_000)}` },
    { "x-api-key": "" },
    { "openai-api-key": KEY },
  ])("%o is refused with 401", async (headers) => {
    const response = await ask(headers);
    expect(response.status).toBe(401);
    expect(response.headers.get("www-authenticate")).toBe("Bearer");
    const { error } = (await response.json()) as ErrorBody;
    expect(error).toMatchObject({ type: "invalid_request_error", code: "invalid_api_key", param: null });
    expect(error.message).not.toContain(KEY);
  });
});

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

describe("browsers", () => {
  const ORIGIN = "https://chat.example.com";
  // What openai-node adds to a request in a browser.
  const ASKED = [
    "authorization",
    "content-type",
    ...["arch", "lang", "os", "package-version", "retry-count", "runtime", "runtime-version", "timeout"].map(
      (name) => `x-stainless-${name}`,
    ),
  ].join(",");

  function preflight(url: string, method: string): Promise<Response> {
    return fetch(url, {
      method: "OPTIONS",
      headers: {
        origin: ORIGIN,
        "access-control-request-method": method,
        "access-control-request-headers": ASKED,
      },
    });
  }

  test.each([
    ["/v1/chat/completions", "POST"],
    ["/v1/models", "GET"],
    ["/v1/models/vendor/model", "GET"],
    ["/v1/v1/chat/completions/", "POST"],
    ["/nowhere", "POST"],
  ])("the preflight of %s needs no key and grants what was asked for", async (path, method) => {
    const response = await preflight(gateway.url + path, method);
    expect(response.status).toBe(204);
    expect(response.headers.get("access-control-allow-origin")).toBe("*");
    expect(response.headers.get("access-control-allow-methods")).toContain(method);
    expect(response.headers.get("access-control-allow-headers")).toBe(ASKED);
    expect(Number(response.headers.get("access-control-max-age"))).toBeGreaterThan(600);
    expect(response.headers.get("access-control-allow-credentials")).toBeNull();
    expect(await response.text()).toBe("");
  });

  test("an answer, a stream and every error may be read by the page, with their headers", async () => {
    const answers = {
      200: await post("hello"),
      "200 stream": await post("hello", { stream: true }),
      "200 models": await fetch(`${gateway.baseURL}/models`, { headers: { "x-api-key": KEY } }),
      400: await post("hello", { messages: 7 }),
      "400 JSON": await fetch(`${gateway.baseURL}/chat/completions`, {
        method: "POST",
        headers: { "x-api-key": KEY },
        body: "{",
      }),
      401: await post("hello", {}, { authorization: "Bearer sk-wrong" }),
      404: await post("helo"),
      "404 url": await fetch(`${gateway.url}/nowhere`),
      405: await fetch(`${gateway.baseURL}/chat/completions`),
      413: await post("hello", { padding: "x".repeat(100_000) }),
      415: await post("hello", {}, { "content-type": "text/plain" }),
      429: await post("limited", { stream: true }),
      503: await post("down"),
    };
    for (const [name, response] of Object.entries(answers)) {
      expect(`${response.status}`).toBe(name.slice(0, 3));
      expect(response.headers.get("access-control-allow-origin")).toBe("*");
      const exposed = response.headers.get("access-control-expose-headers")?.split(", ") ?? [];
      expect(exposed).toContain("x-request-id");
      expect(exposed).toContain("retry-after");
      expect(response.headers.get("x-request-id")).toMatch(/^req_/);
      await response.text();
    }
  });

  test("cors_origins lets in the named origins only", async () => {
    const yaml = `server: { port: 0, cors_origins: ["${ORIGIN}", "http://localhost:3000"] }\n`;
    await using strict = await startScripted({ hello: HELLO }, { yaml });
    const answer = (origin: string) => strict.chat({ model: "hello", ...QUESTION }, { headers: { origin } });

    const own = await answer(ORIGIN);
    expect(own.headers.get("access-control-allow-origin")).toBe(ORIGIN);
    expect(own.headers.get("vary")).toContain("Origin");
    for (const origin of ["https://evil.example.com", `${ORIGIN}.evil.example`, "null"]) {
      const other = await answer(origin);
      expect(other.headers.get("access-control-allow-origin")).toBeNull();
      expect(other.headers.get("vary")).toContain("Origin");
    }
    expect(
      (await preflight(`${strict.baseURL}/models`, "GET")).headers.get("access-control-allow-origin"),
    ).toBe(ORIGIN);
    const unknown = await fetch(`${strict.url}/nowhere`, { headers: { origin: "http://localhost:3000" } });
    expect(unknown.headers.get("access-control-allow-origin")).toBe("http://localhost:3000");
  });
});

describe("streams", () => {
  test("their headers keep proxies from holding them back", async () => {
    const response = await post("hello", { stream: true }, { accept: "application/json" });
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
    expect(response.headers.get("cache-control")).toBe("no-cache, no-transform");
    expect(response.headers.get("x-accel-buffering")).toBe("no");
    expect(response.headers.get("content-length")).toBeNull();
    await response.text();
  });

  test("each frame is one data line of JSON that has all that clients require, and [DONE] is the last", async () => {
    const frames = await readFrames(await post("rich", { stream: true }));
    for (const chunk of frames.chunks) {
      expect(chunk).toMatchObject({
        id: frames.chunks[0]?.id,
        object: "chat.completion.chunk",
        created: frames.chunks[0]?.created,
        model: "rich",
      });
      expect(chunk.choices).toHaveLength(1);
      expect(chunk.choices[0]?.index).toBe(0);
      expect(Number.isInteger(chunk.created)).toBeTrue();
      expect("usage" in chunk).toBeFalse();
    }
    expect(frames.data.indexOf("[DONE]")).toBe(frames.data.length - 1);
    expect(frames.text).not.toContain("\r");
  });

  test("usage comes once, in a chunk without choices right before [DONE], if it was asked for", async () => {
    const asked = await readFrames(
      await post("rich", { stream: true, stream_options: { include_usage: true } }),
    );
    expect(asked.chunks.filter(({ choices }) => choices.length === 0)).toHaveLength(1);
    expect(asked.chunks.filter((chunk) => chunk.usage)).toHaveLength(1);
    expect(asked.chunks.at(-1)).toMatchObject({
      choices: [],
      usage: { prompt_tokens: 4, completion_tokens: 9, total_tokens: 13 },
    });
    expect(asked.data.at(-1)).toBe("[DONE]");
    for (const options of [{ include_usage: false }, { include_usage: null }, {}, null]) {
      const unasked = await readFrames(await post("rich", { stream: true, stream_options: options }));
      expect(unasked.chunks.filter(({ choices }) => choices.length === 0)).toEqual([]);
    }
  });

  test("a tool call's id, type and name stand in its first delta only, one call a chunk", async () => {
    const { chunks } = await readFrames(await post("rich", { stream: true }));
    const deltas = chunks.flatMap(({ choices }) => choices[0]?.delta.tool_calls ?? []);
    expect(chunks.every(({ choices }) => (choices[0]?.delta.tool_calls?.length ?? 0) <= 1)).toBeTrue();
    expect(deltas).toEqual([
      { index: 0, id: "call_x", type: "function", function: { name: "look", arguments: '{"q":' } },
      { index: 0, function: { arguments: '"\\n"}' } },
      {
        index: 1,
        id: expect.stringMatching(/^call_\w+$/),
        type: "function",
        function: { name: "write", arguments: '{"early":true}' },
      },
    ]);
    expect(chunks.at(-1)?.choices[0]).toMatchObject({
      finish_reason: "tool_calls",
      native_finish_reason: "end_turn",
    });
  });

  test("no delta has reasoning and text, and the role stands in the first one only", async () => {
    const { chunks } = await readFrames(await post("rich", { stream: true }));
    const deltas = chunks.map(({ choices }) => choices[0]?.delta as object);
    expect(deltas.filter((delta) => "reasoning_content" in delta && "content" in delta)).toEqual([]);
    expect(deltas.map((delta) => "role" in delta).indexOf(true)).toBe(0);
    expect(deltas.filter((delta) => "role" in delta)).toHaveLength(1);
  });

  test("an empty answer is still an answer", async () => {
    const frames = await readFrames(await post("empty", { stream: true }));
    expect(frames.chunks.at(-1)?.choices[0]?.finish_reason).toBe("stop");
    expect(frames.data.at(-1)).toBe("[DONE]");
    const plain = (await (await post("empty")).json()) as { choices: unknown[] };
    expect(plain.choices).toMatchObject([{ message: { role: "assistant", content: "" } }]);
  });

  test("a failure in mid-stream is one error frame with a text, and no [DONE]", async () => {
    const frames = await readFrames(await post("breaks-off", { stream: true }));
    expect(textOf({ ...frames, chunks: frames.chunks.slice(0, -1) })).toBe("Once upon");
    expect(JSON.parse(frames.data.at(-1) ?? "")).toEqual({
      error: {
        message: "the engine\ncaught fire",
        type: "server_error",
        param: null,
        code: "upstream_error",
      },
    });
    expect(frames.text).not.toContain("[DONE]");
    expect(frames.text).not.toContain('"finish_reason":"');
  });

  test("early headers: a stream that is long in coming is a 200 with comments, and its failure a frame", async () => {
    const limits = { earlyHeaders: 5, heartbeat: 5 };
    const upstream = { timeouts: { first_event: "200ms" } };
    await using patient = await startScripted({ silent: [{ hang: true }] }, { limits, upstream });
    const response = await patient.chat({ model: "silent", stream: true, ...QUESTION });
    expect(response.status).toBe(200);
    expect(response.headers.get("x-modelyard-upstream")).toBeNull();
    const frames = await readFrames(response);
    expect(frames.text).toStartWith(": keep-alive\n\n");
    expect(frames.data).toHaveLength(1);
    expect(JSON.parse(frames.data[0] ?? "")).toMatchObject({ error: { code: "upstream_timeout" } });
  });
});

describe("errors", () => {
  test.each([
    ["limited", 429, /^[12]$/],
    ["down", 503, /^1$/],
    ["no-key", 503, "61"],
  ])("%s says in whole seconds when to come back", async (model, status, seconds) => {
    for (const stream of [false, true]) {
      const response = await post(model, { stream });
      expect(response.status).toBe(status);
      expect(response.headers.get("retry-after")).toMatch(seconds);
      expect(response.headers.get("content-type")).toStartWith("application/json");
      expect(await response.json()).toMatchObject({ error: { type: expect.any(String), param: null } });
    }
  });

  test("a Responses body, which Cursor posts here, is a 400 that names what it is", async () => {
    const response = await fetch(`${gateway.baseURL}/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${KEY}` },
      body: JSON.stringify({
        model: "hello",
        input: [{ role: "user", content: [{ type: "input_text", text: "Well?" }] }],
        tools: [{ type: "custom", name: "apply_patch" }],
        store: false,
        stream: true,
        stream_options: {},
      }),
    });
    expect(response.status).toBe(400);
    const { error } = (await response.json()) as ErrorBody;
    expect(error.code).toBe("missing_required_parameter");
    expect(error.message).toContain("input");
    expect(error.message).toContain("Responses");
  });

  test.each([
    [{ messages: [] }, "messages"],
    [{ messages: [{ content: "no role" }] }, "messages[0].role"],
    [{ messages: [null] }, "messages[0]"],
    [{ messages: [{ role: "user", content: [{ text: "no type" }] }] }, "messages[0].content[0].type"],
    [{ stream: "yes" }, "stream"],
    [{ stream_options: { include_usage: 1 } }, "stream_options.include_usage"],
    [{ n: 0 }, "n"],
    [{ n: 1.5 }, "n"],
    [{ model: "" }, "model"],
    [{ model: ["hello"] }, "model"],
  ])("%j is a 400 that names the field", async (extra, param) => {
    const response = await post("hello", extra);
    expect(response.status).toBe(400);
    expect(((await response.json()) as ErrorBody).error.param).toBe(param);
  });

  test.each([
    { max_tokens: null, temperature: null, stop: null, stream: null, n: null, stream_options: null },
    { max_completion_tokens: 5, parallel_tool_calls: false, store: true, metadata: {}, verbosity: "low" },
    { tools: [], tool_choice: "auto", functions: [], prediction: { type: "content", content: "x" } },
    {
      messages: [
        { role: "assistant", content: null, tool_calls: [] },
        { role: "tool", content: [] },
      ],
    },
    { messages: [{ role: "some-new-role", name: "x" }] },
  ])("%j is taken as it is", async (extra) => {
    expect((await post("hello", extra)).status).toBe(200);
  });

  test("a sane x-request-id of the client's own is kept, another is not", async () => {
    const own = await post("hello", {}, { "x-request-id": "trace-42.a:b" });
    expect(own.headers.get("x-request-id")).toBe("trace-42.a:b");
    const long = await post("hello", {}, { "x-request-id": "x".repeat(500) });
    expect(long.headers.get("x-request-id")).toMatch(/^req_/);
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
