import { describe, expect, test } from "bun:test";
import { UpstreamError } from "modelyard/plugin";
import type { ChatRequest, JsonObject } from "modelyard/plugin";
import { testCall } from "../../../test/support/plugin-host.ts";
import { listModels } from "../models.ts";
import { mapRequest } from "./request.ts";
import type { Prompt } from "./request.ts";

const HELLO = [{ role: "user", content: "hello" }];

function map(model: string, more: Partial<ChatRequest> = {}): { prompt: Prompt; ignored: string[] } {
  const { call, ignored } = testCall();
  const prompt = mapRequest({ model, messages: HELLO, ...more }, call);
  return { prompt, ignored: [...ignored.keys()] };
}

function refusal(model: string, more: Partial<ChatRequest>): { code: string; param: string | undefined } {
  try {
    map(model, more);
  } catch (error) {
    if (UpstreamError.is(error)) return { code: error.code, param: error.param };
    throw error;
  }
  return { code: "none", param: undefined };
}

describe("models", () => {
  test("are the service's seventeen, with what they can do", () => {
    const models = listModels();
    expect(models.length).toBe(17);
    expect(models.find(({ id }) => id === "gpt-4")?.capabilities).toEqual({
      tools: false,
      vision: false,
      json_schema: false,
      reasoning: false,
      output: 4096,
    });
    expect(models.find(({ id }) => id === "gpt-5-mini")?.capabilities).toMatchObject({
      json_schema: true,
      reasoning: true,
      output: 128_000,
    });
  });

  test("of other names are refused", () => {
    expect(refusal("gpt-9", {}).code).toBe("no-such-model");
    expect(refusal("__proto__", {}).code).toBe("no-such-model");
  });
});

test("halves of surrogate pairs don't leave the plugin, which its library would write as bare escapes", () => {
  const schema = {
    type: "json_schema",
    json_schema: { name: "f", schema: { "\ud83d": ["\udc00", 1, null] } },
  };
  const messages = [{ role: "user", content: "cut \ud83d" }];
  const { prompt } = map("gpt-4o-mini", { messages, response_format: schema });
  expect(prompt.meta).toMatchObject({
    messages: [{ role: "user", content: "cut \ufffd" }],
    response_format: { json_schema: { schema: { "\ufffd": ["\ufffd", 1, null] } } },
  });
});

describe("messages", () => {
  const instructed = [
    { role: "system", content: "be brief" },
    { role: "developer", content: "be kind" },
    ...HELLO,
  ];

  test.each([
    { model: "gpt-4o", roles: ["system", "system", "user"] },
    { model: "o3", roles: ["developer", "developer", "user"] },
    { model: "gpt-5", roles: ["developer", "developer", "user"] },
  ])("give $model its instructions under the role it knows", ({ model, roles }) => {
    const sent = map(model, { messages: instructed }).prompt.meta["messages"] as JsonObject[];
    expect<unknown>(sent.map(({ role }) => role)).toEqual(roles);
  });

  test("give a model without instructions theirs with the first thing the user says", () => {
    const { meta } = map("o1-mini", { messages: instructed }).prompt;
    expect(meta["messages"]).toEqual([{ role: "user", content: "be brief\n\nbe kind\n\nhello" }]);
    const alone = map("o1-mini", { messages: [{ role: "system", content: "be brief" }] }).prompt.meta;
    expect(alone["messages"]).toEqual([{ role: "user", content: "be brief" }]);
  });

  test("in parts are joined line by line", () => {
    const content = [
      { type: "text", text: "one" },
      { type: "text", text: "two", cache_control: { type: "ephemeral" } },
    ];
    const { prompt, ignored } = map("gpt-4o", { messages: [{ role: "user", content, name: "Ann" }] });
    expect(prompt.meta["messages"]).toEqual([{ role: "user", content: "one\ntwo" }]);
    expect(ignored).toEqual(["messages[].name", "messages[].content[].cache_control"]);
  });

  test("without content are empty ones", () => {
    const { meta } = map("gpt-4o", {
      messages: [{ role: "assistant", content: null, tool_calls: [] }],
    }).prompt;
    expect(meta["messages"]).toEqual([{ role: "assistant", content: "" }]);
  });

  test.each([
    { message: { role: "tool", content: "1", tool_call_id: "x" }, param: "messages[0].role" },
    { message: { role: "assistant", tool_calls: [{ id: "x" }] }, param: "messages[0].tool_calls" },
    {
      message: { role: "user", content: [{ type: "text", text: "a" }, { type: "image_url" }] },
      param: "messages[0].content[1]",
    },
    { message: { role: "user", content: [{ type: "input_audio" }] }, param: "messages[0].content[0]" },
    { message: { role: "user", content: [{ type: "file" }] }, param: "messages[0].content[0]" },
  ])("that aren't text are refused: $param", ({ message, param }) => {
    expect(refusal("gpt-4o", { messages: [message] })).toEqual({ code: "unsupported", param });
  });
});

describe("parameters", () => {
  test("reach a model that takes them", () => {
    const { prompt, ignored } = map("gpt-4o", {
      temperature: 0.2,
      top_p: 0.5,
      max_tokens: 7,
      presence_penalty: 1,
    });
    expect(prompt.meta).toEqual({
      model: "gpt-4o",
      messages: HELLO,
      temperature: 0.2,
      top_p: 0.5,
      presence_penalty: 1,
      frequency_penalty: 0,
      max_completion_tokens: 7,
      response_format: "text",
      stream: true,
    });
    expect(ignored).toEqual([]);
  });

  test("that a reasoning model doesn't take are left out and named", () => {
    const { prompt, ignored } = map("o3", { temperature: 0, verbosity: "low", reasoning_effort: "high" });
    expect(prompt.meta).toEqual({
      model: "o3",
      messages: HELLO,
      reasoning_effort: "high",
      response_format: "text",
      stream: true,
    });
    expect(ignored).toEqual(["temperature", "verbosity"]);
  });

  test.each([
    { model: "gpt-5", more: { reasoning_effort: "minimal", verbosity: "low", summary: "auto" }, ignored: [] },
    {
      model: "o3",
      more: { reasoning_effort: "minimal", summary: "auto" },
      ignored: ["reasoning_effort", "summary"],
    },
    { model: "gpt-4o", more: { reasoning_effort: "low" }, ignored: ["reasoning_effort"] },
  ])("for reasoning depend on the model: $model", ({ model, more, ignored }) => {
    expect<unknown>(map(model, more).ignored).toEqual(ignored);
  });

  test.each([
    { more: { max_tokens: 5, max_completion_tokens: 9 }, sent: 9, ignored: ["max_tokens"] },
    { more: { max_tokens: 5, max_completion_tokens: null }, sent: 5, ignored: [] },
    { more: { max_tokens: 5000 }, sent: 4096, ignored: ["max_tokens"] },
    { more: { max_completion_tokens: 5000 }, sent: 4096, ignored: ["max_completion_tokens"] },
  ])("for the longest answer are one, and at most what the model takes: %j", ({ more, sent, ignored }) => {
    const mapped = map("gpt-3.5-turbo", more);
    expect(mapped.prompt.meta["max_completion_tokens"]).toBe(sent);
    expect<unknown>(mapped.ignored).toEqual(ignored);
  });

  test("for the answer's form are passed on as they are", () => {
    const format = { type: "json_schema", json_schema: { name: "x", schema: {} } };
    expect(map("gpt-4o", { response_format: format }).prompt.meta["response_format"]).toEqual(format);
    expect(map("gpt-4o", { response_format: { type: "text" } }).prompt.meta["response_format"]).toBe("text");
  });

  test.each([
    { model: "gpt-4", more: { response_format: { type: "json_schema" } }, param: "response_format" },
    { model: "o1-mini", more: { response_format: { type: "json_object" } }, param: "response_format" },
    { model: "gpt-4o", more: { tools: [{ type: "function" }] }, param: "tools" },
    { model: "gpt-4o", more: { functions: [{ name: "f" }] }, param: "functions" },
    { model: "gpt-4o", more: { tool_choice: "auto" }, param: "tool_choice" },
    { model: "gpt-4o", more: { n: 2 }, param: "n" },
    { model: "gpt-4o", more: { logprobs: true }, param: "logprobs" },
    { model: "gpt-4o", more: { modalities: ["text", "audio"] }, param: "modalities" },
    { model: "gpt-4o", more: { audio: {} }, param: "audio" },
    { model: "gpt-4o", more: { prediction: {} }, param: "prediction" },
    { model: "gpt-4o", more: { web_search_options: {} }, param: "web_search_options" },
    { model: "gpt-4o", more: { stop: "x".repeat(1001) }, param: "stop" },
  ])("that would change the answer and can't be honoured are refused: $model $param", (given) => {
    expect(refusal(given.model, given.more)).toEqual({ code: "unsupported", param: given.param });
  });

  test.each([
    { more: { n: 2 }, said: "langfa.st gives one answer only (n: 1)" },
    { more: { top_logprobs: 3 }, said: "langfa.st gives no logprobs" },
    { more: { modalities: ["audio"] }, said: 'langfa.st gives text only (modalities: ["text"])' },
    { more: { tools: [{}] }, said: "langfa.st takes no tools" },
    { more: { tool_choice: "auto" }, said: 'langfa.st takes no tools (tool_choice: "none")' },
    { more: { function_call: "auto" }, said: 'langfa.st takes no functions (function_call: "none")' },
    { more: { audio: {} }, said: "langfa.st gives text only, no audio" },
    { more: { web_search_options: {} }, said: "langfa.st has no web search" },
  ])("are refused with what the service does instead: $said", ({ more, said }) => {
    expect(() => map("gpt-4o", more)).toThrow(new UpstreamError("unsupported", said));
  });

  test("that ask for nothing are no reason to refuse", () => {
    const more = { tools: [], tool_choice: "none", n: 1, logprobs: false, modalities: ["text"], stop: null };
    expect(map("gpt-4o", more).ignored).toEqual([]);
  });

  test.each(["seed", "user", "metadata", "store", "logit_bias", "service_tier", "prompt_cache_key", "top_k"])(
    "the service doesn't know are named: %s",
    (name) => expect(map("gpt-4o", { [name]: "x" }).ignored).toEqual([name]),
  );

  test.each([
    { more: { temperature: "hot" }, param: "temperature" },
    { more: { max_tokens: 0 }, param: "max_tokens" },
    { more: { stop: [7] }, param: "stop" },
    { more: { response_format: 7 }, param: "response_format" },
  ])("of the wrong kind are the client's mistake: %j", ({ more, param }) => {
    expect(refusal("gpt-4o", more)).toEqual({ code: "bad-request", param });
  });

  test("for stop sequences are kept, because the service knows none", () => {
    expect(map("gpt-4o", { stop: "a" }).prompt.stop).toEqual(["a"]);
    expect(map("gpt-4o", { stop: ["a", "", "b"] }).prompt.stop).toEqual(["a", "b"]);
  });
});
