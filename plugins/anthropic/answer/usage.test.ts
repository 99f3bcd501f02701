import { expect, test } from "bun:test";
import { usageOf } from "./usage.ts";

test("what it took to compact the conversation is counted, and is told among the iterations alone", () => {
  const raw = {
    input_tokens: 23_000,
    output_tokens: 1_000,
    cache_read_input_tokens: 500,
    iterations: [
      { type: "compaction", input_tokens: 180_000, output_tokens: 3_500, cache_read_input_tokens: 100 },
      { type: "message", input_tokens: 23_000, output_tokens: 1_000, cache_read_input_tokens: 500 },
    ],
  };
  expect(usageOf(raw)).toEqual({ input: 203_600, cachedInput: 600, output: 4_500, raw });
  expect(usageOf({ output_tokens: 7 })).toEqual({ output: 7, raw: { output_tokens: 7 } });
});
