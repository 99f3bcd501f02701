import { expect, test } from "bun:test";
import type { ReasoningEvent } from "../../../contract/index.ts";
import { ReasoningDetails, reasoningFields } from "./reasoning.ts";

const TWO_BLOCKS: readonly ReasoningEvent[] = [
  { type: "reasoning", text: "First, ", block: 0 },
  { type: "reasoning", text: "look.", block: 0 },
  { type: "reasoning", text: "", block: 0, signature: "sig-0" },
  { type: "reasoning", text: "", block: 1, redacted: "secret" },
  { type: "reasoning", text: "Then answer.", block: 3 },
  { type: "reasoning", text: "", block: 3, signature: "sig-3" },
];

test("the details of a whole answer keep each block's text and signature together", () => {
  const details = new ReasoningDetails();
  for (const event of TWO_BLOCKS) details.take(event);
  expect(details.list()).toEqual([
    { type: "reasoning.text", text: "First, look.", signature: "sig-0", index: 0 },
    { type: "reasoning.encrypted", data: "secret", index: 1 },
    { type: "reasoning.text", text: "Then answer.", signature: "sig-3", index: 3 },
  ]);
});

test("the pieces of a stream say the same, to be put together by their index", () => {
  const pieces = TWO_BLOCKS.flatMap((event) => reasoningFields(event)["reasoning_details"]);
  expect(pieces).toEqual([
    { type: "reasoning.text", text: "First, ", index: 0 },
    { type: "reasoning.text", text: "look.", index: 0 },
    { type: "reasoning.text", signature: "sig-0", index: 0 },
    { type: "reasoning.encrypted", data: "secret", index: 1 },
    { type: "reasoning.text", text: "Then answer.", index: 3 },
    { type: "reasoning.text", signature: "sig-3", index: 3 },
  ]);
});

test("reasoning that is neither numbered nor signed is a text and nothing else", () => {
  expect(reasoningFields({ type: "reasoning", text: "hm" })).toEqual({ reasoning_content: "hm" });
  const details = new ReasoningDetails();
  details.take({ type: "reasoning", text: "hm" });
  expect(details.list()).toEqual([]);
});
