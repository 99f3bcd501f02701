import type { Json } from "../../../src/contract/index.ts";

const PARAMETERS = {
  type: "object",
  properties: { city: { type: "string", description: "where" } },
  required: ["city"],
  additionalProperties: false,
} as const;

/**
 * A sample value for each field of OpenAI's chat request, except `model`, `messages` and `stream`. None is the field's
 * default, so that a value that arrives was sent.
 */
export const CHAT_FIELDS = {
  audio: { voice: "alloy", format: "wav" },
  frequency_penalty: 0.5,
  function_call: { name: "weather_of" },
  functions: [{ name: "weather_of", description: "the weather of a city", parameters: PARAMETERS }],
  logit_bias: { "50256": -100 },
  logprobs: true,
  max_completion_tokens: 257,
  max_tokens: 258,
  metadata: { purpose: "test" },
  modalities: ["text", "audio"],
  moderation: { model: "omni-moderation-latest", policy: { output: { mode: "score" } } },
  n: 2,
  parallel_tool_calls: false,
  prediction: { type: "content", content: "It is sunny in Lisbon." },
  presence_penalty: -0.5,
  prompt_cache_key: "weather",
  prompt_cache_options: { mode: "explicit", ttl: "30m" },
  prompt_cache_retention: "24h",
  reasoning_effort: "low",
  response_format: {
    type: "json_schema",
    json_schema: { name: "weather", strict: true, schema: PARAMETERS },
  },
  safety_identifier: "user-7f3a",
  seed: 42,
  service_tier: "flex",
  stop: ["END", "STOP"],
  store: true,
  stream_options: { include_obfuscation: false },
  temperature: 0.25,
  tool_choice: { type: "function", function: { name: "weather_of" } },
  tools: [
    {
      type: "function",
      function: { name: "weather_of", description: "the weather of a city", parameters: PARAMETERS },
    },
  ],
  top_logprobs: 3,
  top_p: 0.75,
  user: "someone",
  verbosity: "high",
  web_search_options: { search_context_size: "low" },
} as const satisfies { readonly [field: string]: Json };

export type ChatField = keyof typeof CHAT_FIELDS;

/** The fields that another one requires. */
export const COMPANIONS: { readonly [field in ChatField]?: readonly ChatField[] } = {
  audio: ["modalities"],
  modalities: ["audio"],
  function_call: ["functions"],
  tool_choice: ["tools"],
  parallel_tool_calls: ["tools"],
  top_logprobs: ["logprobs"],
};

/** Texts that the upstream's request must contain verbatim if the field reaches it. */
export const EXACT: { readonly [field in ChatField]?: readonly string[] } = {
  frequency_penalty: ["0.5"],
  max_completion_tokens: ["257"],
  max_tokens: ["258"],
  presence_penalty: ["-0.5"],
  seed: ["42"],
  stop: ["END", "STOP"],
  temperature: ["0.25"],
  tools: ["weather_of", "the weather of a city", "city"],
  top_p: ["0.75"],
};
