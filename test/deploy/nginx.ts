/**
 * Run by `bun run test:nginx` and by .ci/run: it needs nginx, which a user of the README's test command may not have.
 * @module
 */
import { describe, expect, test } from "bun:test";
import { TEST_KEY } from "../support/gateway.ts";
import { closedGate } from "../support/gate.ts";
import { startNginx } from "../support/nginx.ts";
import { rawFetch } from "../support/raw-http.ts";
import type { Answers, ScriptedGateway } from "../support/scripted-gateway.ts";
import { HELLO, say, startScripted, stop } from "../support/scripted-gateway.ts";
import { withinMs } from "../support/until.ts";

const QUESTION = { messages: [{ role: "user", content: "Hi" }], stream: true };

function chat(url: string, body: object, init: RequestInit = {}): Promise<Response> {
  return fetch(`${url}/v1/chat/completions`, {
    method: "POST",
    ...init,
    headers: {
      authorization: `Bearer ${TEST_KEY}`,
      "content-type": "application/json",
      ...(init.headers as Record<string, string>),
    },
    body: JSON.stringify(body),
  });
}

/** A gateway with these answers, and nginx in front of it. */
async function startBoth(answers: Answers) {
  const gateway = await startScripted(answers);
  try {
    const nginx = await startNginx(new URL(gateway.url).host);
    return { gateway, url: nginx.url, [Symbol.asyncDispose]: () => stopBoth(nginx, gateway) };
  } catch (error) {
    await gateway[Symbol.asyncDispose]();
    throw error;
  }
}

async function stopBoth(nginx: AsyncDisposable, gateway: ScriptedGateway): Promise<void> {
  await nginx[Symbol.asyncDispose]();
  await gateway[Symbol.asyncDispose]();
}

/** Reads on until the text holds `words`; gives all that has come so far. */
async function readTo(reader: ReadableStreamDefaultReader<string>, words: string): Promise<string> {
  let text = "";
  while (!text.includes(words)) {
    const { value, done } = await withinMs(reader.read(), `an event with ${words}`);
    if (done) throw new Error(`the stream ended before ${words}: ${text}`);
    text += value;
  }
  return text;
}

function textOf(response: Response): ReadableStreamDefaultReader<string> {
  if (!response.body) throw new Error("no body");
  return response.body.pipeThrough(new TextDecoderStream()).getReader();
}

describe("the shipped nginx configuration", () => {
  test("lets each event through before the next one is made", async () => {
    await using first = closedGate();
    await using second = closedGate();
    await using both = await startBoth({
      slow: [say("one"), { gate: first.url }, say("two"), { gate: second.url }, say("three"), stop()],
    });
    const response = await chat(both.url, { model: "slow", ...QUESTION });
    expect(response.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
    expect(response.headers.get("content-encoding")).toBeNull();
    const reader = textOf(response);
    expect(await readTo(reader, "one")).not.toContain("two");
    first.open();
    expect(await readTo(reader, "two")).not.toContain("three");
    second.open();
    expect(await readTo(reader, "[DONE]")).toContain("three");
    expect((await reader.read()).done).toBe(true);
  });

  test("tells the gateway when a client leaves a stream", async () => {
    await using both = await startBoth({ slow: [say("one"), { hang: true }] });
    const leaving = new AbortController();
    const response = await chat(both.url, { model: "slow", ...QUESTION }, { signal: leaving.signal });
    await readTo(textOf(response), "one");
    expect(both.gateway.status().running).toBe(1);
    leaving.abort();
    await both.gateway.quiet();
    expect(both.gateway.status()).toMatchObject({ begun: 1, running: 0 });
  });

  test("tells the gateway when a client leaves before a plain answer", async () => {
    await using gate = closedGate();
    await using both = await startBoth({ slow: [{ gate: gate.url }, ...HELLO] });
    const leaving = new AbortController();
    const { signal } = leaving;
    const answer = chat(both.url, { model: "slow", ...QUESTION, stream: false }, { signal });
    const outcome = answer.then(
      () => "answered",
      () => "left",
    );
    await gate.reached();
    leaving.abort();
    expect(await outcome).toBe("left");
    await both.gateway.quiet();
    expect(both.gateway.status()).toMatchObject({ begun: 1, running: 0 });
  });

  test("passes the client's request id, or gives one", async () => {
    await using both = await startBoth({ hello: HELLO });
    const body = { model: "hello", ...QUESTION, stream: false };
    const own = await chat(both.url, body, { headers: { "x-request-id": "mine-1" } });
    expect(own.headers.get("x-request-id")).toBe("mine-1");
    expect(await own.json()).toMatchObject({ choices: [{ message: { content: "Hello, world" } }] });
    const given = await chat(both.url, body);
    expect(given.headers.get("x-request-id")).toMatch(/^[0-9a-f]{32}$/);
    await given.text();
  });

  test("passes a body of several MiB, and the gateway's own errors as they are", async () => {
    await using both = await startBoth({ hello: HELLO });
    const long = { role: "user", content: "a".repeat(3 * 1024 * 1024) };
    const answer = await chat(both.url, { model: "hello", messages: [long] });
    expect([answer.status, await answer.json()]).toMatchObject([200, { object: "chat.completion" }]);
    const refused = await chat(both.url, { model: "nobody", ...QUESTION });
    expect([refused.status, await refused.json()]).toMatchObject([
      404,
      { error: { code: "model_not_found" } },
    ]);
  });

  test("refuses a larger body than the gateway takes in OpenAI's words", async () => {
    await using both = await startBoth({ hello: HELLO });
    const answer = await rawFetch(both.url, {
      method: "POST",
      path: "/v1/chat/completions",
      headers: { "content-length": String(32 * 1024 * 1024 + 1) },
    });
    expect(answer.status).toBe(413);
    expect(answer.headers.get("content-type")).toBe("application/json");
    expect(answer.headers.get("access-control-allow-origin")).toBe("*");
    expect(JSON.parse(answer.body)).toMatchObject({
      error: { type: "invalid_request_error", code: "request_too_large" },
    });
  });

  test.each(["localhost", "x", "gw"])(
    "lets no metrics out, however the address is written (host %p)",
    async (host) => {
      await using both = await startBoth({ hello: HELLO });
      for (const path of [
        "/metrics",
        "//metrics",
        "/metrics/",
        "/METRICS",
        "/%6detrics",
        "/metrics?a=b",
        "/x/../metrics",
        "/v1/../metrics",
        "/v1/%2e%2e/metrics",
        "/v1/..%2fmetrics",
        "/v1/\\..\\..\\metrics",
        "/v1/..\\..\\metrics",
        "/docs/\\..\\..\\metrics",
        "/v1/metrics",
        "/v/metrics",
        "/ab/metrics",
        "/v1//metrics",
        "/admin",
        "/docs/../metrics",
        "/health/metrics",
      ]) {
        const answer = await rawFetch(both.url, { path, headers: { host } });
        expect([path, answer.status]).toEqual([path, 404]);
        expect(JSON.parse(answer.body)).toMatchObject({ error: { code: "unknown_url" } });
      }
    },
  );

  test("lets through what clients and people need", async () => {
    await using both = await startBoth({ hello: HELLO });
    const headers = { authorization: `Bearer ${TEST_KEY}` };
    for (const path of [
      "/",
      "/health",
      "/health/live",
      "/health/ready",
      "/openapi.json",
      "/docs",
      "/docs/",
      "/docs/viewer.js",
      "/docs/viewer.css",
      "/v1/models",
      "//v1/models/",
      "/v1/v1/models/hello",
      "/models",
      "/models/hello",
      "/dashboard/billing/subscription",
      "/v1/dashboard/billing/usage?start_date=2026-01-01",
      "/dashboard/billing/usage",
    ]) {
      expect([path, (await rawFetch(both.url, { path, headers })).status]).toEqual([path, 200]);
    }
    for (const path of ["/v1/chat/completions", "/chat/completions", "/v1/completions", "/embeddings"]) {
      const answer = await rawFetch(both.url, { method: "POST", path });
      expect([path, answer.status]).toEqual([path, 401]);
    }
  });

  test("below a path, what is kept in at the root is kept in there", async () => {
    await using gateway = await startScripted({ hello: HELLO });
    await using nginx = await startNginx(new URL(gateway.url).host, true);
    const answer = await chat(`${nginx.url}/ai`, { model: "hello", ...QUESTION, stream: false });
    expect(await answer.json()).toMatchObject({ choices: [{ message: { content: "Hello, world" } }] });
    for (const path of ["/ai/docs", "/ai/docs/viewer.js", "/ai/openapi.json", "/ai/"])
      expect([path, (await rawFetch(nginx.url, { path })).status]).toEqual([path, 200]);
    for (const path of ["/ai/metrics", "/ai/../metrics", "/ai/v1/metrics", "/ai/\\..\\metrics"])
      expect([path, (await rawFetch(nginx.url, { path })).status]).toEqual([path, 404]);
  });

  test("says that the gateway is away, and when to come back", async () => {
    await using nginx = await startNginx("127.0.0.1:1");
    const answer = await chat(nginx.url, { model: "hello", ...QUESTION });
    expect(answer.status).toBe(503);
    expect(answer.headers.get("retry-after")).toBe("5");
    expect(answer.headers.get("access-control-allow-origin")).toBe("*");
    expect(answer.headers.get("access-control-expose-headers")).toBe("Retry-After");
    expect(await answer.json()).toMatchObject({
      error: { type: "server_error", code: "upstream_unavailable" },
    });
  });
});
