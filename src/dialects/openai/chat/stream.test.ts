import { expect, test } from "bun:test";
import type { AnswerEvent } from "../../../answer/answer-event.ts";
import { GatewayError } from "../../../errors/gateway-error.ts";
import { errorFrame } from "../error.ts";
import { ChunkWriter } from "./stream.ts";

interface Chunk {
  id: string;
  object: string;
  created: number;
  model: string;
  choices: { index: number; delta: Record<string, unknown>; finish_reason: string | null }[];
  [field: string]: unknown;
}

function chunks(events: AnswerEvent[], includeUsage = false): Chunk[] {
  const writer = new ChunkWriter({ model: "asked", includeUsage });
  const text =
    events.map((event) => writer.write(event)).join("") + writer.end().replace("data: [DONE]\n\n", "");
  return text
    .split("\n\n")
    .filter((frame) => frame !== "")
    .map((frame) => {
      expect(frame).toStartWith("data: ");
      expect(frame).not.toContain("\n");
      return JSON.parse(frame.slice("data: ".length)) as Chunk;
    });
}

test("every chunk names the answer, and only a choice's first delta its role", () => {
  const seen = chunks([
    { type: "text", text: 'a\n"b"' },
    { type: "text", text: "c" },
    { type: "finish", reason: "stop" },
  ]);
  expect(seen.map(({ choices }) => choices[0])).toEqual([
    { index: 0, delta: { role: "assistant", content: 'a\n"b"' }, finish_reason: null },
    { index: 0, delta: { content: "c" }, finish_reason: null },
    { index: 0, delta: {}, finish_reason: "stop" },
  ]);
  expect(
    new Set(seen.map(({ id, object, created, model }) => JSON.stringify([id, object, created, model]))).size,
  ).toBe(1);
  expect(seen[0]).toMatchObject({
    object: "chat.completion.chunk",
    model: "asked",
    created: expect.any(Number),
  });
});

test("id, created, model and fingerprint are the upstream's; other fields of the whole answer are sent once", () => {
  const seen = chunks([
    {
      type: "extra",
      at: "chunk",
      fields: { id: "up-1", created: 7, model: "real", system_fingerprint: "fp", citations: ["x"] },
    },
    { type: "text", text: "a" },
    { type: "finish", reason: "stop" },
  ]);
  expect(seen[0]).toMatchObject({
    id: "up-1",
    created: 7,
    model: "real",
    system_fingerprint: "fp",
    citations: ["x"],
  });
  expect(seen[1]).toMatchObject({ id: "up-1", system_fingerprint: "fp" });
  expect(seen[1]).not.toHaveProperty("citations");
});

test("a field about the whole answer that comes after its last chunk isn't lost", () => {
  const seen = chunks([
    { type: "text", text: "a" },
    { type: "finish", reason: "stop" },
    { type: "extra", at: "chunk", fields: { citations: ["late"] } },
  ]);
  expect(seen.at(-1)).toMatchObject({ citations: ["late"] });
});

test("what another gateway says of itself goes no further", () => {
  const seen = chunks([
    { type: "text", text: "a" },
    { type: "finish", reason: "stop" },
    { type: "extra", at: "chunk", fields: { x_modelyard: { usage: "upstream" } } },
  ]);
  expect(seen).toHaveLength(2);
  expect(JSON.stringify(seen)).not.toContain("x_modelyard");
});

test("usage is a chunk of its own with no choices, and only for who asked", () => {
  const events: AnswerEvent[] = [
    { type: "text", text: "a" },
    { type: "finish", reason: "stop" },
    { type: "usage", usage: { input: 3, cachedInput: 1, output: 5, reasoning: 2 }, source: "estimated" },
  ];
  expect(chunks(events)).toHaveLength(2);
  expect(chunks(events, true).at(-1)).toMatchObject({
    choices: [],
    usage: {
      prompt_tokens: 3,
      completion_tokens: 5,
      total_tokens: 8,
      prompt_tokens_details: { cached_tokens: 1 },
      completion_tokens_details: { reasoning_tokens: 2 },
    },
    x_modelyard: { usage: "estimated" },
  });
});

test("tool calls carry id, type and name once; reasoning has its own field and details", () => {
  const seen = chunks([
    { type: "reasoning", text: "hm", block: 0 },
    { type: "reasoning", text: "", block: 0, signature: "sig" },
    {
      type: "tool-call",
      index: 0,
      id: "c1",
      name: "f",
      arguments: "{",
      fields: { extra_content: { thought: "s" }, function: { strict: true } },
    },
    { type: "tool-call", index: 0, arguments: "}" },
    { type: "finish", reason: "tool_calls", native: "tool_use", stopSequence: "END", fields: { x: 1 } },
  ]);
  expect(seen.map(({ choices }) => choices[0]?.delta)).toEqual([
    {
      role: "assistant",
      reasoning_content: "hm",
      reasoning_details: [{ type: "reasoning.text", text: "hm", index: 0 }],
    },
    { reasoning_details: [{ type: "reasoning.text", signature: "sig", index: 0 }] },
    {
      tool_calls: [
        {
          index: 0,
          id: "c1",
          type: "function",
          function: { strict: true, name: "f", arguments: "{" },
          extra_content: { thought: "s" },
        },
      ],
    },
    { tool_calls: [{ index: 0, function: { arguments: "}" } }] },
    {},
  ]);
  expect(seen.at(-1)?.choices[0]).toMatchObject({
    finish_reason: "tool_calls",
    native_finish_reason: "tool_use",
    stop_sequence: "END",
    x: 1,
  });
});

test("what OpenAI itself says otherwise stays so: custom tools' calls, and the end of a function call", () => {
  const seen = chunks([
    { type: "tool-call", index: 0, id: "c1", name: "sql", arguments: "", fields: { type: "custom", x: 1 } },
    { type: "tool-call", index: 0, arguments: "SELECT", fields: { type: "custom" } },
    { type: "finish", reason: "tool_calls", native: "function_call" },
  ]);
  expect(seen.map(({ choices }) => choices[0]?.delta["tool_calls"]).slice(0, 2)).toEqual([
    [{ index: 0, id: "c1", type: "custom", custom: { name: "sql", input: "" }, x: 1 }],
    [{ index: 0, custom: { input: "SELECT" } }],
  ]);
  expect(seen.at(-1)?.choices[0]).toEqual({ index: 0, delta: {}, finish_reason: "function_call" });
});

test("extras stand where the upstream put them", () => {
  const seen = chunks([
    { type: "extra", at: "delta", fields: { refusal: "no" }, choice: 1 },
    { type: "extra", at: "choice", fields: { logprobs: { content: [] } }, choice: 1 },
  ]);
  expect(seen[0]?.choices[0]).toEqual({
    index: 1,
    delta: { role: "assistant", refusal: "no" },
    finish_reason: null,
  });
  expect(seen[1]?.choices[0]).toMatchObject({ index: 1, delta: {}, logprobs: { content: [] } });
});

test("a failure is one data line with an error object", () => {
  const frame = errorFrame(new GatewayError("upstream_truncated", "it broke\noff"));
  expect(JSON.parse(frame.slice("data: ".length))).toEqual({
    error: { message: "it broke\noff", type: "server_error", param: null, code: "upstream_truncated" },
  });
  expect(frame.trimEnd()).not.toContain("\n");
});

test("texts come out as they went in, whatever is in them, in the first choice and in others", () => {
  const texts = [
    "plain",
    "",
    'a "quote" and a \\ backslash',
    "line\nfeed\tand\0\x1f\x7f",
    "ü 日本 \ud7ff\ue000\uffff",
    "\u2028\u2029",
    "\u{1F600}",
    "half \ud83d",
    "\ude00 other half",
    '"},"finish_reason":"stop"}]}',
  ];
  for (const choice of [undefined, 1]) {
    const seen = chunks(
      texts.map((text): AnswerEvent => ({ type: "text", text, ...(choice !== undefined && { choice }) })),
    );
    expect(seen.map(({ choices }) => choices[0]?.delta["content"])).toEqual(texts);
    expect(seen.map(({ choices }) => [choices[0]?.index, choices[0]?.finish_reason])).toEqual(
      texts.map(() => [choice ?? 0, null]),
    );
  }
  const writer = new ChunkWriter({ model: "asked", includeUsage: false });
  // A lone half has no UTF-8: it travels as an escape.
  expect(writer.write({ type: "text", text: "\ud83d" })).toContain("\\ud83d");
  expect(writer.write({ type: "text", text: "\ud83d" })).toContain("\\ud83d");
});

test("what becomes known of the answer between two texts stands in the second, and what is sent once only there", () => {
  const seen = chunks([
    { type: "text", text: "a" },
    { type: "text", text: "b" },
    { type: "extra", at: "chunk", fields: { model: "other", citations: ["x"] } },
    { type: "text", text: "c" },
    { type: "text", text: "d" },
  ]);
  expect(seen.map(({ model, citations }) => [model, citations])).toEqual([
    ["asked", undefined],
    ["asked", undefined],
    ["other", ["x"]],
    ["other", undefined],
  ]);
});

test("characters at which some clients end a line are written as escapes, wherever they stand", () => {
  const writer = new ChunkWriter({ model: "m", includeUsage: false });
  const text = "a\u2028b\u2029c\u0085d";
  const frames = [
    // The first frame of a choice, one like nearly all, and one that has more to escape.
    writer.write({ type: "text", text }),
    writer.write({ type: "text", text }),
    writer.write({ type: "text", text: `"${text}"` }),
    writer.write({ type: "tool-call", index: 0, id: "1", name: "f", arguments: text }),
    writer.write({ type: "extra", at: "choice", fields: { note: text } }),
    writer.write({ type: "extra", at: "chunk", fields: { note: text } }) + writer.end(),
  ];
  for (const frame of frames) {
    expect(frame).not.toMatch(/[\u0085\u2028\u2029]/);
    expect(frame).toContain("a\\u2028b\\u2029c\\u0085d");
  }
  const [, second = ""] = frames;
  const { choices } = JSON.parse(second.slice("data: ".length)) as { choices: object[] };
  expect(choices).toMatchObject([{ delta: { content: text } }]);
});
