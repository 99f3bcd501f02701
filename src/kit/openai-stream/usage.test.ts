import { expect, test } from "bun:test";
import type { JsonObject, Usage } from "../../contract/index.ts";
import { usageOf } from "./usage.ts";

/** Whose usage object it is, what it says of the prompt, and what is understood. */
const PROMPTS: readonly (readonly [string, JsonObject, Usage])[] = [
  ["OpenAI", { prompt_tokens_details: { cached_tokens: 60 } }, { cachedInput: 60 }],
  [
    "OpenAI since GPT-5.6, and OpenRouter",
    { prompt_tokens_details: { cached_tokens: 0, cache_write_tokens: 40 } },
    { cachedInput: 0, cacheWrite: 40 },
  ],
  ["DeepSeek", { prompt_cache_hit_tokens: 60, prompt_cache_miss_tokens: 40 }, { cachedInput: 60 }],
  [
    "LiteLLM before Anthropic",
    { prompt_tokens_details: { cached_tokens: 60 }, cache_creation_input_tokens: 30 },
    { cachedInput: 60, cacheWrite: 30 },
  ],
  [
    "a server that says null",
    { prompt_tokens_details: { cached_tokens: null, cache_write_tokens: null }, prompt_cache_hit_tokens: 60 },
    { cachedInput: 60 },
  ],
  ["a server that says nothing of it", { prompt_tokens_details: null }, {}],
];

test.each(PROMPTS)("what was read from the cache and written to it is told by %s", (_, said, understood) => {
  const raw = { prompt_tokens: 100, completion_tokens: 10, ...said };
  expect(usageOf(raw)).toEqual({ input: 100, ...understood, output: 10, raw });
});

test.each([
  // As xAI counts; its documents and https://github.com/vercel/ai/pull/12425 have these numbers.
  ["beside the answer", { prompt_tokens: 12, completion_tokens: 1, total_tokens: 399 }, 386, 387],
  ["beside a longer answer", { prompt_tokens: 10, completion_tokens: 50, total_tokens: 100 }, 40, 90],
  ["beside it, without a total", { prompt_tokens: 12, completion_tokens: 1 }, 386, 387],
  ["within the answer", { prompt_tokens: 10, completion_tokens: 50, total_tokens: 60 }, 40, 50],
  ["within it, without a total", { prompt_tokens: 10, completion_tokens: 50 }, 50, 50],
  ["not at all", { prompt_tokens: 10, completion_tokens: 50, total_tokens: 60 }, 0, 50],
])("reasoning that is counted %s is part of the output", (_, said, reasoning, output) => {
  const raw = { ...said, completion_tokens_details: { reasoning_tokens: reasoning } };
  expect(usageOf(raw)).toMatchObject({ output, reasoning });
});
