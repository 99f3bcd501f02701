import { describe, expect, test } from "bun:test";
import { mapped } from "../../../test/support/anthropic-upstream.ts";
import {
  CHAT_REQUEST_FIELD_NAMES,
  CHAT_REQUEST_FIELDS,
  chatRequestWith,
} from "../../../test/support/chat-request-fields.ts";
import type { JsonObject } from "modelyard/plugin";
import { UpstreamError } from "modelyard/plugin";

/** What has become of each field of OpenAI's request. */
const FATES: Record<keyof typeof CHAT_REQUEST_FIELDS, JsonObject | "ignored" | "unsupported"> = {
  model: { model: "claude-sonnet-4-5" },
  messages: {
    system: [{ type: "text", text: "Be brief." }],
    messages: [{ role: "user", content: [{ type: "text", text: "How is the weather in Lisbon?" }] }],
  },
  audio: "unsupported",
  frequency_penalty: "ignored",
  function_call: "unsupported",
  functions: "unsupported",
  logit_bias: "ignored",
  logprobs: "unsupported",
  max_completion_tokens: { max_tokens: 257 },
  max_tokens: { max_tokens: 258 },
  metadata: "ignored",
  modalities: "unsupported",
  moderation: "unsupported",
  n: "unsupported",
  parallel_tool_calls: { tool_choice: { type: "auto", disable_parallel_tool_use: true } },
  prediction: "ignored",
  presence_penalty: "ignored",
  prompt_cache_key: "ignored",
  prompt_cache_options: "ignored",
  prompt_cache_retention: "ignored",
  reasoning_effort: { thinking: { type: "enabled", budget_tokens: 2048 } },
  response_format: {
    output_config: {
      format: {
        type: "json_schema",
        schema: CHAT_REQUEST_FIELDS.response_format.json_schema.schema as unknown as JsonObject,
      },
    },
  },
  safety_identifier: { metadata: { user_id: "user-7f3a" } },
  seed: "ignored",
  service_tier: "ignored",
  stop: { stop_sequences: ["END", "STOP"] },
  store: "ignored",
  stream: { stream: true },
  stream_options: "ignored",
  temperature: { temperature: 0.25 },
  tool_choice: { tool_choice: { type: "tool", name: "weather_of" } },
  tools: {
    tools: [
      {
        name: "weather_of",
        description: "the weather of a city",
        input_schema: CHAT_REQUEST_FIELDS.tools[0].function.parameters as unknown as JsonObject,
      },
    ],
  },
  top_logprobs: "unsupported",
  top_p: { top_p: 0.75 },
  user: { metadata: { user_id: "someone" } },
  verbosity: "ignored",
  web_search_options: "unsupported",
};

test.each(CHAT_REQUEST_FIELD_NAMES)("%s reaches the upstream, is named, or is refused", (field) => {
  const fate = FATES[field];
  const request = chatRequestWith(field) as JsonObject;
  if (fate === "unsupported") {
    expect(() => mapped(request)).toThrow(expect.objectContaining({ code: "unsupported" }));
    return;
  }
  const { body, ignored } = mapped(request);
  if (fate === "ignored") expect(ignored.map((name) => name.split(".")[0])).toContain(field);
  else {
    expect(body).toMatchObject(fate);
    expect(ignored).toEqual([]);
  }
});

test("nothing but what the Messages API knows is ever sent", () => {
  const { body, ignored } = mapped({ enable_thinking: true, top_k: 5, speed: "fast", stop_sequences: ["X"] });
  expect(Object.keys(body).toSorted()).toEqual([
    "max_tokens",
    "messages",
    "model",
    "speed",
    "stop_sequences",
    "top_k",
  ]);
  expect(ignored).toEqual(["enable_thinking"]);
});

test("values that are the default anyway are neither sent nor named", () => {
  const { body, ignored } = mapped({
    n: 1,
    logprobs: false,
    top_logprobs: 0,
    frequency_penalty: 0,
    presence_penalty: 0,
    logit_bias: {},
    modalities: ["text"],
    response_format: { type: "text" },
    store: false,
    seed: null,
    stream: false,
    stream_options: { include_usage: true },
    tools: [],
    stop: null,
    user: null,
  });
  expect(Object.keys(body).toSorted()).toEqual(["max_tokens", "messages", "model"]);
  expect(ignored).toEqual([]);
});

describe("max_tokens", () => {
  test.each([
    ["claude-sonnet-4-5", 64_000],
    ["claude-opus-5-5", 64_000],
    ["claude-opus-4-1-20250805", 8192],
    ["claude-3-haiku-20240307", 4096],
    ["somebody-elses-model", 4096],
  ])("of %s is %d where the request says nothing", (model, tokens) => {
    expect(mapped({}, model).body["max_tokens"]).toBe(tokens);
  });

  test("the newer name counts, and the older is named where it differs", () => {
    expect(mapped({ max_tokens: 5, max_completion_tokens: 6 })).toMatchObject({
      body: { max_tokens: 6 },
      ignored: ["max_tokens"],
    });
    expect(() => mapped({ max_tokens: "many" })).toThrow(
      expect.objectContaining({ code: "bad-request", param: "max_tokens" }),
    );
  });
});

describe("sampling", () => {
  test.each([
    ["an older model takes both", "claude-3-haiku-20240307", { temperature: 0.5, top_p: 0.9 }, []],
    ["one since 4.1 takes temperature alone", "claude-sonnet-4-5", { temperature: 0.5 }, ["top_p"]],
    ["the newest take none", "claude-opus-4-7", {}, ["temperature", "top_p"]],
    ["a stranger's model takes both", "kimi-k2", { temperature: 0.5, top_p: 0.9 }, []],
  ])("%s", (_, model, sent, ignored) => {
    const { body, ...rest } = mapped({ temperature: 0.5, top_p: 0.9 }, model);
    const { temperature, top_p } = body;
    expect(JSON.parse(JSON.stringify({ temperature, top_p }))).toEqual(sent);
    expect(rest.ignored).toEqual(ignored);
  });

  test("a temperature above 1 is lowered, and named", () => {
    expect(mapped({ temperature: 1.5 })).toMatchObject({
      body: { temperature: 1 },
      ignored: ["temperature"],
    });
  });

  test("the default temperature gives way to top_p", () => {
    const { body, ignored } = mapped({ temperature: 1, top_p: 0.5 });
    expect([body["temperature"], body["top_p"], ignored]).toEqual([undefined, 0.5, []]);
  });

  test("a thinking model takes only a top_p close to 1", () => {
    const asked = { reasoning_effort: "high", temperature: 0.5, top_k: 3 };
    expect(mapped({ ...asked, top_p: 0.9 }).ignored).toEqual(["temperature", "top_p", "top_k"]);
    const { body, ignored } = mapped({ ...asked, top_p: 0.97 });
    expect(body["top_p"]).toBe(0.97);
    expect(ignored).toEqual(["temperature", "top_k"]);
  });
});

describe("stop", () => {
  test("is a text or several, each once", () => {
    expect(mapped({ stop: "END" }).body["stop_sequences"]).toEqual(["END"]);
    expect(mapped({ stop: ["A", "", "A"], stop_sequences: ["B"] }).body["stop_sequences"]).toEqual([
      "B",
      "A",
    ]);
  });

  test("of blanks alone is refused, and so is what is no text", () => {
    expect(() => mapped({ stop: "\n" })).toThrow(
      expect.objectContaining({ code: "unsupported", param: "stop" }),
    );
    expect(() => mapped({ stop: [7] })).toThrow(
      expect.objectContaining({ code: "bad-request", param: "stop" }),
    );
  });
});

describe("who asks", () => {
  test("Anthropic's own user_id goes before OpenAI's fields, and the newer of those before the older", () => {
    expect(mapped({ user: "a", safety_identifier: "b" })).toMatchObject({
      body: { metadata: { user_id: "b" } },
      ignored: ["user"],
    });
    const all = { metadata: { user_id: "c", purpose: "x" }, user: "a", safety_identifier: "c" };
    const { body, ignored } = mapped(all);
    expect(body["metadata"]).toEqual({ user_id: "c" });
    expect(ignored).toEqual(["metadata", "user", "safety_identifier"]);
  });

  test.each([
    ["auto", "auto", []],
    ["default", "standard_only", []],
    ["priority", undefined, ["service_tier"]],
  ])("the service tier %s is %s", (tier, sent, ignored) => {
    const said = mapped({ service_tier: tier });
    expect(said.body["service_tier"]).toBe(sent as never);
    expect(said.ignored).toEqual(ignored);
  });
});

test("beta features of the request are a header's, not the body's", () => {
  const { body, betas } = mapped({ betas: ["files-api-2025-04-14"], container: { id: "c" } });
  expect(betas).toEqual(["files-api-2025-04-14"]);
  expect(body).not.toHaveProperty("betas");
  expect(body["container"]).toEqual({ id: "c" });
});

test("a refusal is one that lets another upstream try", () => {
  const refused = (() => {
    try {
      return mapped({ n: 2 });
    } catch (error) {
      return error;
    }
  })();
  expect(UpstreamError.is(refused) && [refused.code, refused.param]).toEqual(["unsupported", "n"]);
});
