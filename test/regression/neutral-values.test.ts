import { afterAll, beforeAll, expect, test } from "bun:test";
import { jsonAnswer, startFaultUpstream } from "../support/fault-upstream.ts";
import type { FaultUpstream } from "../support/fault-upstream.ts";
import type { RunningGateway } from "../support/gateway.ts";
import { startGateway } from "../support/gateway.ts";

/**
 * A field whose value asks for nothing is as good as none.
 * @module
 */
let fault: FaultUpstream;
let gateway: RunningGateway;

beforeAll(async () => {
  fault = await startFaultUpstream();
  gateway = await startGateway(`
upstreams:
  an: { plugin: anthropic, options: { api_key: key-1, base_url: "${fault.url}", models: [claude-sonnet-4-5] } }
  ge: { plugin: gemini, options: { api_key: key-2, base_url: "${fault.url}/v1beta", models: [gemini-2.5-pro] } }
`);
  const usage = { input_tokens: 1, output_tokens: 1 };
  const message = { id: "m", type: "message", role: "assistant", model: "m", usage, stop_reason: "end_turn" };
  const candidates = [{ content: { role: "model", parts: [{ text: "a" }] }, finishReason: "STOP" }];
  fault.respond = (exchange) => {
    const isGemini = exchange.path.includes("generateContent");
    exchange.send(
      jsonAnswer(isGemini ? { candidates } : { ...message, content: [{ type: "text", text: "a" }] }),
    );
  };
});
afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await fault[Symbol.asyncDispose]();
});

const MODELS = ["an/claude-sonnet-4-5", "ge/gemini-2.5-pro"];

function ask(model: string, fields: object): Promise<Response> {
  return gateway.chat({ model, messages: [{ role: "user", content: "q" }], ...fields });
}

test.each(MODELS)("of %s such values are not named, and none of them is sent", async (model) => {
  const neutral = {
    logit_bias: {},
    metadata: {},
    user: "",
    safety_identifier: "",
    store: false,
    prompt_cache_key: "",
    parallel_tool_calls: false,
    presence_penalty: 0,
    frequency_penalty: 0,
    n: 1,
    x_unknown: null,
  };
  const answer = await ask(model, neutral);
  expect([answer.status, answer.headers.get("x-modelyard-ignored")]).toEqual([200, null]);
  expect(fault.requests.at(-1)?.json()).not.toContainAnyKeys(["metadata", "labels"]);
});

test.each(MODELS)("of %s those that ask for something still are", async (model) => {
  const answer = await ask(model, { logit_bias: { "1": 2 }, store: true, x_unknown: false });
  const names = answer.headers.get("x-modelyard-ignored")?.split(",").toSorted();
  expect(names).toEqual(["logit_bias", "store", "x_unknown"]);
});

test("null is no other question to the cache", async () => {
  const [model = ""] = MODELS;
  expect((await ask(model, { temperature: 0 })).headers.get("x-modelyard-cache")).toBe("miss");
  for (const fields of [{ seed: null }, { max_tokens: null, tools: null }, { response_format: null }]) {
    const answer = await ask(model, { temperature: 0, ...fields });
    expect(answer.headers.get("x-modelyard-cache")).toBe("hit");
  }
  expect((await ask(model, { temperature: 0, seed: 1 })).headers.get("x-modelyard-cache")).toBe("miss");
  expect((await ask(model, { seed: null })).headers.get("x-modelyard-cache")).toBe("bypass");
});
