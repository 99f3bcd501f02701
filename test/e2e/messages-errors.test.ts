import { afterAll, beforeAll, expect, test } from "bun:test";
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { TEST_KEY } from "../support/gateway.ts";
import type { ScriptedGateway } from "../support/scripted-gateway.ts";
import { HELLO, startScripted } from "../support/scripted-gateway.ts";

/**
 * What Anthropic's clients read beside answers: errors, limits, and the list of models.
 * @module
 */

const fail = (code: string, message: string) => [{ fail: code as never, message }];

const ANSWERS = {
  "claude-x": HELLO,
  hello: HELLO,
  long: fail("context-length", "9000 tokens are too many"),
  "long-own": fail("context-length", "prompt is too long: 9000 tokens > 8000 maximum"),
  busy: fail("rate-limited", "too many"),
  resting: fail("unavailable", "closed"),
  slow: fail("timeout", "too slow"),
  failed: fail("failed", "broken"),
  filter: fail("content-filter", "not that"),
};

const KEYS = `keys:
  - { name: test, key: ${TEST_KEY}, limits: { requests_per_minute: 100, tokens_per_minute: 100000 } }
  - { name: few, key: sk-few-0123456789abcdef, limits: { requests_per_minute: 1 } }
  - { name: spent, key: sk-spent-0123456789abcdef, budget: { tokens: 1, per: day } }
  - { name: narrow, key: sk-narrow-0123456789abcdef, models: ["claude-*"] }
`;

let gateway: ScriptedGateway;

beforeAll(async () => {
  const upstream = { models: Object.keys(ANSWERS) };
  gateway = await startScripted(ANSWERS, { yaml: KEYS, upstream });
  await ask(as("sk-spent-0123456789abcdef"));
});

afterAll(() => gateway[Symbol.asyncDispose]());

const HELLO_BODY = { model: "hello", max_tokens: 5, messages: [{ role: "user", content: "Hi" }] };

interface Asked {
  readonly body?: unknown;
  readonly path?: string;
  readonly method?: string;
  readonly headers?: Record<string, string>;
}

function ask({ body = HELLO_BODY, path = "/v1/messages", method = "POST", headers }: Asked = {}) {
  return fetch(gateway.url + path, {
    method,
    headers: { "x-api-key": TEST_KEY, "content-type": "application/json", ...headers },
    ...(method === "POST" && { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
}

const of = (model: string) => ({ body: { ...HELLO_BODY, model } });
const without = (name: string) => ({
  body: Object.fromEntries(Object.entries(HELLO_BODY).filter(([key]) => key !== name)),
});
const as = (key: string) => ({ headers: { "x-api-key": key } });

const ERRORS: Readonly<Record<string, readonly [Asked, number, string, RegExp]>> = {
  "a wrong key": [as("sk-wrong"), 401, "authentication_error", /not one of this gateway's/],
  "no key": [as(""), 401, "authentication_error", /no API key/],
  "a model that the key may not use": [as("sk-narrow-0123456789abcdef"), 403, "permission_error", /hello/],
  "an unknown model": [of("nobody"), 404, "not_found_error", /there is no model "nobody"/],
  "another method": [{ method: "GET" }, 405, "invalid_request_error", /POST/],
  "an address below": [{ path: "/v1/messages/batches" }, 404, "not_found_error", /batches/],
  "no JSON": [{ body: "{" }, 400, "invalid_request_error", /not valid JSON/],
  "another type": [
    { headers: { "content-type": "text/plain" } },
    415,
    "invalid_request_error",
    /content-type text\/plain/,
  ],
  "no bound": [without("max_tokens"), 400, "invalid_request_error", /missing required parameter: max_tokens/],
  "no messages": [without("messages"), 400, "invalid_request_error", /messages/],
  "a role that isn't there": [
    { body: { ...HELLO_BODY, messages: [{ role: "tool", content: "x" }] } },
    400,
    "invalid_request_error",
    /messages\[0\]\.role: expected user, assistant or system, found "tool"/,
  ],
  "a block without its text": [
    { body: { ...HELLO_BODY, messages: [{ role: "user", content: [{ type: "text" }] }] } },
    400,
    "invalid_request_error",
    /messages\[0\]\.content\[0\]\.text: expected a string/,
  ],
  "a conversation that is too long": [
    of("long"),
    400,
    "invalid_request_error",
    /^prompt is too long: 9000 tokens are too many$/,
  ],
  "one whose upstream says so in these words": [
    of("long-own"),
    400,
    "invalid_request_error",
    /^prompt is too long: 9000 tokens > 8000 maximum$/,
  ],
  "what is filtered": [of("filter"), 400, "invalid_request_error", /not that/],
  "an upstream's limit": [of("busy"), 429, "rate_limit_error", /too many/],
  "a spent budget": [as("sk-spent-0123456789abcdef"), 429, "billing_error", /budget/],
  "an upstream that rests": [of("resting"), 529, "overloaded_error", /closed/],
  "an upstream that is too slow": [of("slow"), 504, "timeout_error", /too slow/],
  "an upstream that fails": [of("failed"), 502, "api_error", /broken/],
};

test.each(Object.entries(ERRORS))("%s is told as Anthropic does", async (_, [asked, status, type, words]) => {
  const response = await ask(asked);
  const { error, ...rest } = (await response.json()) as { error: { type: string; message: string } };
  expect([response.status, error.type]).toEqual([status, type]);
  expect(error.message).toMatch(words);
  const id = response.headers.get("request-id");
  expect(rest).toEqual({ type: "error", request_id: id } as never);
  expect(id).toBe(response.headers.get("x-request-id"));
});

test("an early failure of a stream has its status, too", async () => {
  const response = await ask({ body: { ...of("resting").body, stream: true } });
  expect([response.status, await response.json()]).toMatchObject([
    529,
    { error: { type: "overloaded_error" } },
  ]);
});

test("the official client knows the errors by their classes, and asks again when it is told to", async () => {
  const client = new Anthropic({ baseURL: gateway.url, authToken: TEST_KEY, apiKey: null, maxRetries: 0 });
  const asking = (model: string) =>
    client.messages.create({ ...HELLO_BODY, model } as never).catch((error: unknown) => error);
  expect(await asking("nobody")).toBeInstanceOf(Anthropic.NotFoundError);
  expect(await asking("busy")).toBeInstanceOf(Anthropic.RateLimitError);
  expect(await asking("long")).toBeInstanceOf(Anthropic.BadRequestError);
});

test("a limit is told in Anthropic's headers, and so is when to come back", async () => {
  const key = as("sk-few-0123456789abcdef");
  const first = await ask(key);
  expect(first.headers.get("anthropic-ratelimit-requests-limit")).toBe("1");
  expect(first.headers.get("anthropic-ratelimit-requests-remaining")).toBe("0");
  const reset = Date.parse(first.headers.get("anthropic-ratelimit-requests-reset") ?? "");
  expect(reset).toBeGreaterThan(Date.now() - 1_000);
  expect(first.headers.has("x-ratelimit-limit-requests")).toBe(false);
  const second = await ask(key);
  expect([second.status, Number(second.headers.get("retry-after"))]).toEqual([429, expect.any(Number)]);
  expect(Number(second.headers.get("retry-after"))).toBeGreaterThan(0);
});

test("a browser may read the headers that are Anthropic's own", async () => {
  const exposed = (await ask()).headers.get("access-control-expose-headers") ?? "";
  expect(exposed.split(", ")).toEqual(
    expect.arrayContaining(["request-id", "anthropic-ratelimit-tokens-reset"]),
  );
});

const MARKED = { method: "GET", headers: { "anthropic-version": "2023-06-01" } };

test("the list of models has the form of the client that asks for it", async () => {
  const client = new Anthropic({ baseURL: gateway.url, apiKey: TEST_KEY });
  const ids: string[] = [];
  for await (const model of client.models.list({ limit: 2 })) ids.push(model.id);
  const openai = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: TEST_KEY });
  const others = (await openai.models.list()).data.map(({ id }) => id);
  expect(ids).toEqual(others);
  expect(ids).toEqual(Object.keys(ANSWERS));
});

test("all of them are on one page unless fewer are asked for", async () => {
  const list = async (query: string) => (await ask({ ...MARKED, path: `/v1/models${query}` })).json();
  const all = Object.keys(ANSWERS);
  expect(await list("?limit=1000")).toMatchObject({ has_more: false, first_id: all[0], last_id: all.at(-1) });
  expect(await list("?limit=2&after_id=hello")).toMatchObject({
    data: [{ id: "long" }, { id: "long-own" }],
    has_more: true,
    first_id: "long",
    last_id: "long-own",
  });
  expect(await list("?limit=1&before_id=hello")).toMatchObject({
    data: [{ id: "claude-x" }],
    has_more: false,
  });
});

test("one model has Anthropic's form, and so has the error for one that isn't there", async () => {
  const found = await ask({ ...MARKED, path: "/v1/models/claude-x" });
  expect(await found.json()).toEqual({
    type: "model",
    id: "claude-x",
    display_name: "claude-x",
    created_at: "2023-11-14T22:13:20Z",
  });
  const missing = await ask({ ...MARKED, path: "/v1/models/nobody" });
  expect([missing.status, await missing.json()]).toMatchObject([404, { error: { type: "not_found_error" } }]);
  const unmarked = await ask({ method: "GET", path: "/v1/models/claude-x" });
  expect(await unmarked.json()).toMatchObject({ object: "model", created: 1_700_000_000 });
});
