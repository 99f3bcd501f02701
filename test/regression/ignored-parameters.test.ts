import { afterAll, beforeAll, expect, test } from "bun:test";
import { AN, GE, startTranslation, tool } from "../support/translation.ts";
import type { Translation } from "../support/translation.ts";

/**
 * `x-modelyard-ignored`: what a client can read at a glance, whatever an agent's tools have.
 * @module
 */
let stage: Translation;

beforeAll(async () => {
  stage = await startTranslation();
});

afterAll(() => stage[Symbol.asyncDispose]());

const messages = [{ role: "user", content: "q", name: "Ann" }];

test("names of parameters come first, one for each kind, and schemas are counted", async () => {
  const limited = { type: "string", pattern: "^a", minLength: 1 };
  const properties = Object.fromEntries(Array.from({ length: 30 }, (_, at) => [`property_${at}`, limited]));
  const schema = { type: "object", properties: { a: { type: "string", pattern: "x" } } };
  const asked = await stage.ask({
    model: GE,
    messages: [...messages, { role: "assistant", content: "a", name: "Bob" }, { role: "user", content: "b" }],
    tools: Array.from({ length: 3 }, (_, at) => tool(`f${at}`, { type: "object", properties })),
    user: "me",
    odd: 1,
  });
  expect(asked.ignored.split(",")).toEqual([
    "user",
    "odd",
    "messages[].name",
    "tools[].function.parameters: 180 keywords",
  ]);
  const response_format = { type: "json_schema", json_schema: { name: "x", schema } };
  const formatted = await stage.ask({ model: GE, messages, response_format });
  expect(formatted.ignored.split(",")).toEqual([
    "messages[].name",
    "response_format.json_schema.schema: 1 keyword",
  ]);
});

test("a schema that could not be taken at all is named", async () => {
  const { ignored } = await stage.ask({
    model: GE,
    messages: [{ role: "user", content: "q" }],
    tools: [tool("f", true)],
  });
  expect(ignored).toBe("tools[].function.parameters");
});

const NEUTRAL: Readonly<Record<string, unknown>> = {
  user: "",
  safety_identifier: "",
  metadata: {},
  logit_bias: {},
  store: false,
  parallel_tool_calls: false,
  prompt_cache_key: "",
  logprobs: false,
  top_logprobs: 0,
  modalities: ["text"],
  response_format: { type: "text" },
  stop: [],
  tools: [],
  seed: null,
  prediction: null,
};

test.each([AN, GE])("values that ask for nothing are neither named nor sent: %s", async (model) => {
  const asked = await stage.ask({ model, messages: [{ role: "user", content: "q" }], ...NEUTRAL });
  expect([asked.status, asked.ignored]).toEqual([200, ""]);
  const bare = await stage.ask({ model, messages: [{ role: "user", content: "q" }], temperature: null });
  expect(asked.up).toEqual(bare.up);
});

test("one call at a time is named for Gemini where there are tools", async () => {
  const { ignored } = await stage.ask({
    model: GE,
    messages: [{ role: "user", content: "q" }],
    tools: [tool("f")],
    parallel_tool_calls: false,
  });
  expect(ignored).toBe("parallel_tool_calls");
});

test("an empty user_id isn't sent to Anthropic, and doesn't stand before another", async () => {
  const ask = async (fields: object) =>
    (await stage.ask({ model: AN, messages: [{ role: "user", content: "q" }], ...fields })).up[0]?.metadata;
  expect(await ask({ metadata: { user_id: "" } })).toBeUndefined();
  expect(await ask({ user: "" })).toBeUndefined();
  expect(await ask({ metadata: { user_id: "" }, user: "ann" })).toEqual({ user_id: "ann" });
  expect(await ask({ safety_identifier: "", user: "ann" })).toEqual({ user_id: "ann" });
});
