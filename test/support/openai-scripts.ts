import type { Json, JsonObject } from "modelyard/plugin";
import type { ChatCompletionCreateParamsNonStreaming } from "openai/resources/chat/completions";

/** What stands at the top of each answer and each chunk. */
export const HEAD = {
  id: "chatcmpl-abc",
  created: 1_700_000_000,
  model: "gpt-4o-2024",
  system_fingerprint: "fp_1",
  service_tier: "flex",
};
export const USAGE = {
  prompt_tokens: 9,
  completion_tokens: 12,
  total_tokens: 21,
  prompt_tokens_details: { cached_tokens: 3, audio_tokens: 0 },
  completion_tokens_details: { reasoning_tokens: 2, accepted_prediction_tokens: 1 },
  cost: 0.0001,
};
const logprob = (token: string): Json => ({
  token,
  logprob: -0.25,
  bytes: [104],
  top_logprobs: [{ token, logprob: -0.25, bytes: null }],
});
const citation = (url: string): Json => ({
  type: "url_citation",
  url_citation: { url, title: "T", start_index: 0, end_index: 3 },
});
const call = (id: string, name: string, text: string, more: JsonObject = {}): JsonObject => ({
  id,
  type: "function",
  function: { name, arguments: text },
  ...more,
});

/** Whole answers by the name of a model. */
export const PLAIN: Readonly<Record<string, JsonObject>> = {
  text: {
    choices: [
      {
        index: 0,
        message: { role: "assistant", content: "Łódź \u{1F600}", refusal: null, annotations: [] },
        logprobs: null,
        finish_reason: "stop",
      },
    ],
  },
  tools: {
    choices: [
      {
        index: 0,
        message: {
          role: "assistant",
          content: null,
          tool_calls: [call("a", "f", '{"x":1}'), call("b", "g", "{}", { x_call: 1 })],
        },
        finish_reason: "tool_calls",
      },
    ],
  },
  "custom-tools": {
    choices: [
      {
        index: 0,
        message: {
          role: "assistant",
          content: "Look: ",
          tool_calls: [{ id: "a", type: "custom", custom: { name: "sql", input: "SELECT 1" } }],
        },
        finish_reason: "tool_calls",
      },
    ],
  },
  signed: {
    choices: [
      {
        index: 0,
        message: {
          role: "assistant",
          tool_calls: [call("a", "f", "{}", { extra_content: { google: { thought_signature: "s" } } })],
        },
        finish_reason: "tool_calls",
      },
    ],
  },
  functions: {
    choices: [
      {
        index: 0,
        message: { role: "assistant", content: null, function_call: { name: "f", arguments: "{}" } },
        finish_reason: "function_call",
      },
    ],
  },
  choices: {
    choices: [
      {
        index: 0,
        message: { role: "assistant", content: "a", annotations: [citation("https://a")] },
        logprobs: { content: [logprob("a")], refusal: null },
        finish_reason: "stop",
      },
      {
        index: 1,
        message: { role: "assistant", content: null, refusal: "I can't" },
        logprobs: { content: null, refusal: [logprob("I")] },
        finish_reason: "content_filter",
      },
      { index: 2, message: { role: "assistant", content: "c" }, finish_reason: "length" },
    ],
  },
  audio: {
    choices: [
      {
        index: 0,
        message: {
          role: "assistant",
          content: null,
          audio: { id: "au", data: "AAAA", expires_at: 1, transcript: "hi" },
        },
        finish_reason: "stop",
      },
    ],
  },
  reasoning: {
    choices: [
      { index: 0, message: { role: "assistant", content: "b", reasoning: "a" }, finish_reason: "stop" },
    ],
  },
  "reasoning-content": {
    choices: [
      {
        index: 0,
        message: { role: "assistant", content: "b", reasoning_content: "a" },
        finish_reason: "eos",
      },
    ],
  },
  vendor: {
    x_top: { deep: [1, { a: null }] },
    citations: ["https://a"],
    prompt_filter_results: [{ prompt_index: 0 }],
    choices: [
      {
        index: 0,
        message: { role: "assistant", content: "a", x_message: [1] },
        x_choice: { b: true },
        content_filter_results: { hate: { filtered: false } },
        stop_reason: 7,
        finish_reason: "stop",
      },
    ],
  },
};

const delta = (said: JsonObject, more: JsonObject = {}): JsonObject => ({
  choices: [{ index: 0, delta: said, finish_reason: null, ...more }],
});
const finish = (reason: string, more: JsonObject = {}): JsonObject => ({
  choices: [{ index: 0, delta: {}, finish_reason: reason, ...more }],
});

/** Streams by the name of a model. */
export const STREAMS: Readonly<Record<string, readonly JsonObject[]>> = {
  text: [
    delta({ role: "assistant", content: "", refusal: null }),
    delta({ content: "Łó" }),
    { ...delta({ content: "dź" }), obfuscation: "xyz" },
    finish("stop"),
  ],
  tools: [
    delta({ role: "assistant", content: null }),
    delta({ tool_calls: [{ index: 0, id: "a", type: "function", function: { name: "f", arguments: "" } }] }),
    delta({ tool_calls: [{ index: 0, function: { arguments: '{"x"' } }] }),
    delta({
      tool_calls: [
        { index: 1, id: "b", type: "function", function: { name: "g", arguments: "{}" }, x_call: 1 },
      ],
    }),
    delta({ tool_calls: [{ index: 0, function: { arguments: ":1}" } }] }),
    finish("tool_calls"),
  ],
  "custom-tools": [
    delta({
      role: "assistant",
      tool_calls: [{ index: 0, id: "a", type: "custom", custom: { name: "sql", input: "" } }],
    }),
    delta({ tool_calls: [{ index: 0, custom: { input: "SELECT" } }] }),
    delta({ tool_calls: [{ index: 0, custom: { input: " 1" } }] }),
    finish("tool_calls"),
  ],
  signed: [
    delta({
      tool_calls: [
        {
          index: 0,
          id: "a",
          type: "function",
          function: { name: "f", arguments: "{}" },
          extra_content: { google: { thought_signature: "s" } },
        },
      ],
    }),
    finish("tool_calls"),
  ],
  functions: [
    delta({ role: "assistant", function_call: { name: "f", arguments: "" } }),
    delta({ function_call: { arguments: "{" } }),
    delta({ function_call: { arguments: "}" } }),
    finish("function_call"),
  ],
  choices: [
    delta({ role: "assistant", content: "a" }, { logprobs: { content: [logprob("a")], refusal: null } }),
    delta(
      { role: "assistant", refusal: "I " },
      { index: 1, logprobs: { content: null, refusal: [logprob("I")] } },
    ),
    delta({ annotations: [citation("https://a")] }),
    delta({ content: "b" }, { logprobs: { content: [logprob("b")], refusal: null } }),
    delta({ refusal: "can't" }, { index: 1 }),
    finish("stop", { index: 1 }),
    finish("length"),
  ],
  audio: [
    delta({ role: "assistant", audio: { id: "au", transcript: "h" } }),
    delta({ audio: { data: "AA" } }),
    delta({ audio: { data: "AA", transcript: "i" } }),
    delta({ audio: { expires_at: 1 } }),
    finish("stop"),
  ],
  reasoning: [
    delta({ role: "assistant", reasoning: "a" }),
    delta({ reasoning: "b" }),
    delta({ content: "c" }),
    finish("stop"),
  ],
  "reasoning-content": [
    delta({ reasoning_content: "a", content: null }),
    delta({ content: "c" }),
    finish("eos"),
  ],
  vendor: [
    {
      ...delta({ role: "assistant", content: "a", x_delta: { deep: 1 } }),
      x_top: { a: [1] },
      prompt_filter_results: [{ prompt_index: 0 }],
    },
    {
      ...delta({ content: "b" }, { content_filter_results: { hate: { filtered: false } } }),
      citations: ["https://a"],
    },
    finish("stop", { stop_reason: 7, x_choice: { b: true } }),
  ],
};

/** A request with all that OpenAI's conversations can hold. */
export const REQUEST: Omit<ChatCompletionCreateParamsNonStreaming, "model"> = {
  messages: [
    { role: "developer", content: "Be brief." },
    {
      role: "user",
      content: [
        { type: "text", text: "What is this?" },
        { type: "image_url", image_url: { url: "data:image/png;base64,iVBORw0KGgo=", detail: "low" } },
        { type: "input_audio", input_audio: { data: "UklGRg==", format: "wav" } },
        { type: "file", file: { filename: "a.pdf", file_data: "data:application/pdf;base64,JVBERi0=" } },
      ],
    },
    {
      role: "assistant",
      content: null,
      tool_calls: [{ id: "a", type: "function", function: { name: "f", arguments: "{}" } }],
    },
    { role: "tool", tool_call_id: "a", content: [{ type: "text", text: "1" }] },
  ],
  tools: [
    { type: "function", function: { name: "f", parameters: { type: "object" }, strict: true } },
    { type: "custom", custom: { name: "sql" } },
  ],
  parallel_tool_calls: true,
  response_format: {
    type: "json_schema",
    json_schema: { name: "s", schema: { type: "object" }, strict: true },
  },
  logprobs: true,
  top_logprobs: 1,
};
