import { expect, test } from "bun:test";
import { readUsage } from "./answer.ts";

test("usage in OpenAI's chat form is read and handed on", () => {
  const raw = {
    prompt_tokens: 10,
    completion_tokens: 5,
    prompt_tokens_details: { cached_tokens: 4 },
    completion_tokens_details: { reasoning_tokens: 2 },
  };
  expect(readUsage(raw)).toEqual({ input: 10, output: 5, cachedInput: 4, reasoning: 2, raw });
});

test("usage in the newer form is read", () => {
  expect(readUsage({ input_tokens: 10, output_tokens: 5 })).toEqual({ input: 10, output: 5 });
});

test("usage in another form is none, and nothing is made up", () => {
  expect(readUsage({ tokens: 7 })).toBeUndefined();
  expect(readUsage({ prompt_tokens: 7 })).toEqual({ input: 7, raw: { prompt_tokens: 7 } });
});
