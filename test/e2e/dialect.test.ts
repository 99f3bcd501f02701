import { afterAll, beforeAll, expect, test } from "bun:test";
import { openai } from "../../src/dialects/openai/index.ts";
import { TEST_KEY } from "../support/gateway.ts";
import type { ScriptedGateway } from "../support/scripted-gateway.ts";
import { HELLO, say, startScripted, stop } from "../support/scripted-gateway.ts";
import { telegraph } from "../support/telegraph-dialect.ts";

/**
 * A dialect of some 60 lines, served beside OpenAI's without a change to any other file.
 * @module
 */

const LIMITED = `keys: [{ name: test, key: ${TEST_KEY}, limits: { requests_per_minute: 100 } }]\n`;

let gateway: ScriptedGateway;

beforeAll(async () => {
  const broken = [say("half"), { fail: "truncated", message: "the line was cut" }] as const;
  const resting = [{ fail: "unavailable", message: "the office is closed" }] as const;
  const answers = {
    hello: HELLO,
    broken,
    resting,
    heard: [{ headers: true }, stop()] as const,
    mirror: [{ mirror: true }, stop()] as const,
  };
  gateway = await startScripted(answers, { yaml: LIMITED, dialects: [openai, telegraph] });
});

afterAll(() => gateway[Symbol.asyncDispose]());

function telegram(body: object, { path = "/v1/telegrams", key = TEST_KEY } = {}): Promise<Response> {
  const headers = {
    "x-telegraph-key": key,
    "content-type": "application/json",
    "x-request-id": "one",
    "x-telegraph-line": "7",
  };
  return fetch(gateway.url + path, { method: "POST", headers, body: JSON.stringify(body) });
}

test("a whole answer has the dialect's form, with the gateway's headers and its own of limits", async () => {
  const response = await telegram({ to: "hello", say: "Hi" });
  expect([response.status, await response.json()]).toEqual([200, { said: "Hello, world" }]);
  expect(response.headers.get("x-modelyard-upstream")).toBe("scripted");
  expect(response.headers.get("x-modelyard-usage")).toBe("upstream");
  expect(response.headers.get("x-telegraph-request")).toBe("one");
  expect(Number(response.headers.get("x-telegrams-left"))).toBeGreaterThan(0);
  expect(response.headers.has("x-ratelimit-remaining-requests")).toBe(false);
});

test("its own answer headers can be read by pages in browsers", async () => {
  const response = await telegram({ to: "hello", say: "Hi" });
  const exposed = response.headers.get("access-control-expose-headers")?.split(", ");
  expect(exposed).toContain("x-telegrams-left");
  expect(exposed).toContain("x-telegraph-request");
});

test("a streamed answer is written in its frames, and so is the failure that ends one", async () => {
  const whole = await (await telegram({ to: "hello", say: "Hi", live: true })).text();
  expect(whole).toBe('data: {"word":"Hello, "}\n\ndata: {"word":"world"}\n\ndata: {"stop":true}\n\n');
  const broken = await (await telegram({ to: "broken", say: "Hi", live: true })).text();
  expect(broken).toStartWith('data: {"word":"half"}\n\ndata: {"trouble":"upstream_truncated"');
});

test("its address is found without the version, too", async () => {
  const response = await telegram({ to: "hello", say: "Hi" }, { path: "/telegrams" });
  expect(await response.json()).toEqual({ said: "Hello, world" });
});

test("the upstream is asked in a conversation", async () => {
  const { said } = (await (await telegram({ to: "mirror", say: "Hi" })).json()) as { said: string };
  expect(JSON.parse(said)).toMatchObject({ model: "mirror", messages: [{ role: "user", content: "Hi" }] });
});

test("the upstream is given the headers that the dialect hands on, and no key", async () => {
  const { said } = (await (await telegram({ to: "heard", say: "Hi" })).json()) as { said: string };
  expect(JSON.parse(said)).toEqual({ "x-telegraph-line": "7" });
  const chat = await gateway.chat({ model: "heard", messages: [{ role: "user", content: "Hi" }] });
  expect(await chat.json()).toMatchObject({ choices: [{ message: { content: "{}" } }] });
});

test.each([
  ["a wrong key", 401, "invalid_api_key", () => telegram({ to: "hello", say: "Hi" }, { key: "sk-wrong" })],
  ["a body that doesn't fit", 400, "missing_required_parameter", () => telegram({ to: "hello" })],
  ["a model that isn't there", 404, "model_not_found", () => telegram({ to: "nobody", say: "Hi" })],
  ["an upstream that rests", 529, "upstream_unavailable", () => telegram({ to: "resting", say: "Hi" })],
  ["an address below its own", 404, "unknown_url", () => telegram({}, { path: "/v1/telegrams/7" })],
  ["a wrong method", 405, "method_not_allowed", () => fetch(`${gateway.url}/v1/telegrams`)],
])("%s is told with its status and in its words", async (_, status, trouble, ask) => {
  const response = await ask();
  const request = response.headers.get("x-request-id");
  expect([response.status, await response.json()]).toMatchObject([status, { trouble, request }]);
  expect(response.headers.get("x-telegraph-request")).toBe(request);
});

test("its key is no good where OpenAI's clients send theirs", async () => {
  const init = { method: "POST", headers: { authorization: `Bearer ${TEST_KEY}` }, body: "{}" };
  expect((await fetch(`${gateway.url}/v1/telegrams`, init)).status).toBe(401);
});

test("without a key its client reads in which header to send one", async () => {
  const response = await fetch(`${gateway.url}/v1/telegrams`, { method: "POST", body: "{}" });
  const because = "no API key given; send it as `x-telegraph-key: KEY`";
  expect([response.status, await response.json()]).toMatchObject([401, { because }]);
  expect(response.headers.has("www-authenticate")).toBe(false);
});

test("openapi.json describes it, with its errors and their statuses", async () => {
  const { paths, components } = (await (await fetch(`${gateway.url}/openapi.json`)).json()) as {
    paths: Record<string, { post: { responses: Record<string, unknown> } }>;
    components: { schemas: object };
  };
  expect(Object.keys(paths["/v1/telegrams"]?.post.responses ?? {})).toContain("529");
  expect(Object.keys(components.schemas)).toEqual(["Error", "TelegraphError"]);
});
