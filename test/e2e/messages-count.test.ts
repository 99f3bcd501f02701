import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test";
import Anthropic from "@anthropic-ai/sdk";
import { startFaultUpstream } from "../support/fault-upstream.ts";
import type { FaultUpstream } from "../support/fault-upstream.ts";
import { startGateway, TEST_KEY } from "../support/gateway.ts";
import type { RunningGateway } from "../support/gateway.ts";

/**
 * `POST /v1/messages/count_tokens`: the upstream's own count, or the gateway's.
 * @module
 */

const SPENT = "sk-spent-0123456789abcdef";
const FEW = "sk-few-0123456789abcdef";

let upstream: FaultUpstream;
let gateway: RunningGateway;
let answer: { status: number; body: object };

beforeAll(async () => {
  upstream = await startFaultUpstream();
  upstream.respond = (exchange) => {
    exchange.head(answer.status, { "content-type": "application/json" });
    exchange.chunk(JSON.stringify(answer.body));
    exchange.end();
  };
  gateway = await startGateway(`
upstreams:
  claude:
    plugin: anthropic
    options: { api_key: sk-ant-test, base_url: "${upstream.url}", models: [claude-sonnet-4-5] }
  echo: { plugin: echo }
keys:
  - { name: test, key: ${TEST_KEY} }
  - { name: spent, key: ${SPENT}, budget: { tokens: 1, per: day } }
  - { name: few, key: ${FEW}, limits: { requests_per_minute: 1, tokens_per_minute: 10 } }
retry: { attempts: 1 }
health: { failures: 1000000 }
`);
});

afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await upstream[Symbol.asyncDispose]();
});

beforeEach(() => {
  answer = { status: 200, body: { input_tokens: 1234 } };
});

const QUESTION = { messages: [{ role: "user" as const, content: "How many tokens are there in this?" }] };

function count(body: object, key = TEST_KEY): Promise<Response> {
  return fetch(`${gateway.url}/v1/messages/count_tokens?beta=true`, {
    method: "POST",
    headers: { "x-api-key": key, "content-type": "application/json", "anthropic-version": "2023-06-01" },
    body: JSON.stringify(body),
  });
}

async function counted(body: object, key?: string) {
  const response = await count(body, key);
  const { input_tokens: tokens } = (await response.json()) as { input_tokens: number };
  return { tokens, source: response.headers.get("x-modelyard-usage"), status: response.status };
}

test("an upstream that counts itself is given what the client wrote", async () => {
  const client = new Anthropic({ baseURL: gateway.url, apiKey: TEST_KEY });
  const asked = { ...QUESTION, model: "claude-sonnet-4-5", mystery: { a: 1 } };
  expect(await client.messages.countTokens(asked)).toEqual({ input_tokens: 1234 });
  const sent = upstream.requests.at(-1);
  expect([sent?.path, sent?.json()]).toEqual(["/v1/messages/count_tokens", asked] as never);
});

test.each([
  ["is away", 503, {}],
  [
    "has no such address",
    404,
    { type: "error", error: { type: "not_found_error", message: "no such path" } },
  ],
  ["says no number", 200, { input_tokens: "many" }],
])("the gateway counts where the upstream %s", async (_, status, body) => {
  answer = { status, body };
  const { tokens, source } = await counted({ ...QUESTION, model: "claude-sonnet-4-5" });
  expect([tokens > 5 && tokens < 30, source]).toEqual([true, "estimated"]);
});

test("what is wrong with the request is told", async () => {
  const error = { type: "invalid_request_error", message: "messages: that is wrong" };
  answer = { status: 400, body: { type: "error", error } };
  const response = await count({ ...QUESTION, model: "claude-sonnet-4-5" });
  expect([response.status, await response.json()]).toMatchObject([400, { error }]);
  expect((await count({ model: "echo" })).status).toBe(400);
  expect((await count({ ...QUESTION, model: "nobody" })).status).toBe(404);
});

test("the gateway's count has everything that a model reads, and rather more", async () => {
  const { tokens: least } = await counted({ ...QUESTION, model: "echo" });
  const words = "Seven words are in this long sentence. ".repeat(20);
  const more = [
    { system: words },
    { system: [{ type: "text", text: words }] },
    { tools: [{ name: "f", description: words, input_schema: { type: "object" } }] },
    { messages: [...QUESTION.messages, { role: "assistant", content: [{ type: "text", text: words }] }] },
    {
      messages: [
        ...QUESTION.messages,
        { role: "assistant", content: [{ type: "tool_use", id: "a", name: "f", input: { words } }] },
      ],
    },
    { messages: [{ role: "user", content: [{ type: "tool_result", tool_use_id: "a", content: words }] }] },
    {
      messages: [
        {
          role: "user",
          content: [{ type: "document", source: { type: "text", media_type: "text/plain", data: words } }],
        },
      ],
    },
  ];
  for (const each of more) {
    const { tokens, source } = await counted({ ...QUESTION, ...each, model: "echo" });
    expect([tokens > least + 150, tokens < least + 300, source]).toEqual([true, true, "estimated"]);
  }
  const image = { type: "image", source: { type: "base64", media_type: "image/png", data: "iVBORw0KGgo=" } };
  const { tokens } = await counted({ messages: [{ role: "user", content: [image] }], model: "echo" });
  expect(tokens).toBeGreaterThan(700);
});

test("it takes no tokens and no budget, but it is a request", async () => {
  const asked = { ...QUESTION, model: "echo" };
  await fetch(`${gateway.url}/v1/messages`, {
    method: "POST",
    headers: { "x-api-key": SPENT, "content-type": "application/json" },
    body: JSON.stringify({ ...asked, max_tokens: 5 }),
  });
  expect((await counted(asked, SPENT)).status).toBe(200);
  const long = { ...asked, system: "word ".repeat(100) };
  expect([(await counted(long, FEW)).status, (await count(asked, FEW)).status]).toEqual([200, 429]);
});
