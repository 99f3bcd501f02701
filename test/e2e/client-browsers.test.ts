import { afterAll, expect, test } from "bun:test";
import type { Answers } from "../support/scripted-gateway.ts";
import { HELLO, startScripted } from "../support/scripted-gateway.ts";

/**
 * Clients that run in a browser: preflights, and what a page may read.
 * @module
 */
const ANSWERS: Answers = {
  hello: HELLO,
  limited: [{ fail: "rate-limited", message: "slow down", retryAfterMs: 1_001 }],
  down: [{ fail: "unavailable", message: "nobody is at home" }],
};

const gateway = await startScripted(ANSWERS, { yaml: "server: { port: 0, max_body: 64KiB }\n" });
const KEY = gateway.key;
afterAll(() => gateway[Symbol.asyncDispose]());

const QUESTION = { messages: [{ role: "user", content: "Well?" }] };

function post(model: string, extra: object = {}, headers: Record<string, string> = {}): Promise<Response> {
  return gateway.chat({ model, ...QUESTION, ...extra }, { headers });
}

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
