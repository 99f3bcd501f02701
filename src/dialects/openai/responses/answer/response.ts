import type { CountedUsage } from "../../../../answer/answer-event.ts";
import type { Json, JsonObject } from "../../../../contract/index.ts";
import { isObject } from "../../../../contract/json.ts";

/** What a Responses object has for what a request leaves out. */
const DEFAULTS = {
  background: false,
  frequency_penalty: 0,
  instructions: null,
  max_output_tokens: null,
  max_tool_calls: null,
  metadata: {},
  parallel_tool_calls: true,
  presence_penalty: 0,
  previous_response_id: null,
  prompt_cache_key: null,
  safety_identifier: null,
  temperature: 1,
  tool_choice: "auto",
  top_logprobs: 0,
  top_p: 1,
  truncation: "disabled",
  user: null,
};

/** Returns what a Responses object repeats of its request. */
export function repeatedOf(asked: JsonObject): JsonObject {
  const given = Object.keys(DEFAULTS).filter((name) => asked[name] !== undefined && asked[name] !== null);
  const { text, reasoning, tools } = asked;
  return {
    ...DEFAULTS,
    ...Object.fromEntries(given.map((name) => [name, asked[name]])),
    text: { format: { type: "text" }, ...withoutNulls(text) },
    reasoning: { effort: null, summary: null, ...withoutNulls(reasoning) },
    tools: Array.isArray(tools) ? tools.map(wholeTool) : [],
  };
}

/** The published schema requires all members of a function. */
function wholeTool(tool: Json): Json {
  if (!isObject(tool) || tool["type"] !== "function") return tool;
  return { description: null, parameters: null, strict: null, ...tool };
}

function withoutNulls(value: Json | undefined): JsonObject {
  if (!isObject(value)) return {};
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined && each !== null));
}

/** Returns usage as Responses have it. */
export function usageOf({ usage }: CountedUsage): JsonObject {
  const { input = 0, output = 0 } = usage;
  return {
    input_tokens: input,
    input_tokens_details: {
      cached_tokens: usage.cachedInput ?? 0,
      cache_write_tokens: usage.cacheWrite ?? 0,
    },
    output_tokens: output,
    output_tokens_details: { reasoning_tokens: usage.reasoning ?? 0 },
    total_tokens: input + output,
  };
}
