import { afterAll, expect, test } from "bun:test";
import type { Answers } from "../support/scripted-gateway.ts";
import { HELLO, startScripted } from "../support/scripted-gateway.ts";

/**
 * Errors that clients can act on, and bodies that are taken as they are.
 * @module
 */
const ANSWERS: Answers = {
  hello: HELLO,
  limited: [{ fail: "rate-limited", message: "slow down", retryAfterMs: 1_001 }],
  down: [{ fail: "unavailable", message: "nobody is at home" }],
  "no-key": [{ fail: "no-credential", message: "all keys are resting", retryAfterMs: 61_000 }],
};

const gateway = await startScripted(ANSWERS);
afterAll(() => gateway[Symbol.asyncDispose]());

const QUESTION = { messages: [{ role: "user", content: "Well?" }] };

function post(model: string, extra: object = {}, headers: Record<string, string> = {}): Promise<Response> {
  return gateway.chat({ model, ...QUESTION, ...extra }, { headers });
}

interface ErrorBody {
  readonly error: { message: string; type: string; param: string | null; code: string };
}

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

test("pages and probes have an x-request-id like every other answer", async () => {
  for (const path of ["/", "/health", "/health/ready", "/docs", "/openapi.json", "/docs/nothing"]) {
    const response = await fetch(`${gateway.url}${path}`, { headers: { "x-request-id": "trace-7" } });
    expect(response.headers.get("x-request-id")).toBe("trace-7");
  }
});
