import { afterAll, beforeAll, expect, test } from "bun:test";
import { jsonAnswer, openaiCompletion, startFaultUpstream } from "../support/fault-upstream.ts";
import type { FaultUpstream } from "../support/fault-upstream.ts";
import type { RunningGateway } from "../support/gateway.ts";
import { startGateway } from "../support/gateway.ts";

/**
 * A text that was cut within a character leaves the gateway as text that strict parsers take.
 * @module
 */
let fault: FaultUpstream;
let gateway: RunningGateway;

beforeAll(async () => {
  fault = await startFaultUpstream();
  gateway = await startGateway(`
upstreams:
  an: { plugin: anthropic, options: { api_key: key-1, base_url: "${fault.url}", models: [claude-sonnet-4-5] } }
  ge: { plugin: gemini, options: { api_key: key-2, base_url: "${fault.url}/v1beta", models: [gemini-3-pro-preview, gemini-embedding-001] } }
  oa: { plugin: openai, options: { base_url: "${fault.url}/v1", models: [m] } }
retry: { attempts: 1 }
health: { failures: 100000 }
`);
  fault.respond = (exchange) => exchange.send(jsonAnswer({}));
});
afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await fault[Symbol.asyncDispose]();
});

async function ask(body: object, endpoint: string): Promise<Response> {
  const headers = { authorization: `Bearer ${gateway.key}`, "content-type": "application/json" };
  const url = `${gateway.baseURL}/${endpoint}`;
  return fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
}

/** The text of the body that the upstream is sent. */
async function sent(body: object, endpoint = "chat/completions"): Promise<string> {
  const before = fault.requests.length;
  await (await ask(body, endpoint)).text();
  expect(fault.requests.length).toBe(before + 1);
  return new TextDecoder().decode(fault.requests.at(-1)?.body);
}

/** A JSON text's escape for half of a pair, at the beginning of an escape of its own. */
const HALF = /(?<!\\)(?:\\\\)*\\ud[89a-f]/i;

const CUT = "cut \ud83d";
const REST = "\udc00 x";

const conversation = [
  { role: "system", content: CUT },
  { role: "user", content: [{ type: "text", text: REST }] },
  {
    role: "assistant",
    content: CUT,
    tool_calls: [
      { id: CUT, type: "function", function: { name: "f", arguments: JSON.stringify({ [CUT]: REST }) } },
    ],
  },
  { role: "tool", tool_call_id: CUT, content: CUT },
];
const schema = {
  type: "object",
  description: CUT,
  properties: { [CUT]: { type: "string", description: REST, enum: [CUT, REST] } },
};
const tools = [{ type: "function", function: { name: "f", description: CUT, parameters: schema } }];
const response_format = { type: "json_schema", json_schema: { name: "f", description: CUT, schema } };

test.each(["an/claude-sonnet-4-5", "ge/gemini-3-pro-preview"])(
  "no half of a pair goes up to %s",
  async (model) => {
    for (const stream of [false, true]) {
      const up = await sent({
        model,
        stream,
        messages: conversation,
        tools,
        response_format,
        stop: [CUT],
        user: CUT,
        metadata: { user_id: REST },
      });
      expect(up).toContain("cut \ufffd");
      expect(up).toContain("\ufffd x");
      expect(up).not.toMatch(HALF);
    }
  },
);

test("a model whose name has one is none", async () => {
  const before = fault.requests.length;
  for (const model of ["an/claude\ud83d", "ge/gemini\ud83d", "oa/m\ud83d", "\udc00"]) {
    for (const stream of [false, true]) {
      const answer = await ask({ model, stream, messages: conversation }, "chat/completions");
      expect(answer.status).toBe(404);
      expect(await answer.text()).not.toMatch(HALF);
    }
  }
  expect(fault.requests.length).toBe(before);
});

test("nor do texts to be embedded", async () => {
  expect(await sent({ model: "ge/gemini-embedding-001", input: CUT }, "embeddings")).toContain(
    '"cut \ufffd"',
  );
});

test("an answer that was cut reaches the client as text that strict parsers take", async () => {
  fault.respond = (exchange) => exchange.send(jsonAnswer(openaiCompletion(CUT)));
  const answer = await ask({ model: "oa/m", messages: [{ role: "user", content: "q" }] }, "chat/completions");
  const text = await answer.text();
  expect(text).toContain('"content":"cut \ufffd"');
});
