import type { OpenAI } from "openai";

type Params = OpenAI.ChatCompletionCreateParams;
type Field = keyof Params;

const PARAMETERS = {
  type: "object",
  properties: { city: { type: "string", description: "where" } },
  required: ["city"],
  additionalProperties: false,
};

/**
 * One sample value for each field of OpenAI's chat request: the compiler holds the list to the fields that the
 * `openai` package knows. None is the field's default, so that a value that arrives was sent.
 */
export const CHAT_REQUEST_FIELDS = {
  model: "test-model",
  messages: [
    { role: "system", content: "Be brief." },
    { role: "user", content: "How is the weather in Lisbon?" },
  ],
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
  stream: true,
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
} as const satisfies { readonly [F in Field]-?: DeepReadonly<NonNullable<Params[F]>> };

type DeepReadonly<T> = T extends object ? { readonly [K in keyof T]: DeepReadonly<T[K]> } : T;

/** The fields without which another one means nothing, or is refused by OpenAI. */
const COMPANIONS: { readonly [F in Field]?: readonly Field[] } = {
  audio: ["modalities"],
  modalities: ["audio"],
  function_call: ["functions"],
  stream_options: ["stream"],
  tool_choice: ["tools"],
  parallel_tool_calls: ["tools"],
  top_logprobs: ["logprobs"],
};

/** A chat request with `model`, `messages`, the sample value of `field`, and what that one can't be without. */
export function chatRequestWith(field: Field): Record<string, unknown> {
  const names: readonly Field[] = ["model", "messages", ...(COMPANIONS[field] ?? []), field];
  return Object.fromEntries(names.map((name) => [name, CHAT_REQUEST_FIELDS[name]]));
}

/** The names of all fields of OpenAI's chat request. */
export const CHAT_REQUEST_FIELD_NAMES = Object.keys(CHAT_REQUEST_FIELDS) as readonly Field[];
