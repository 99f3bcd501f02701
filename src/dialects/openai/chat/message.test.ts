import { expect, test } from "bun:test";
import type { AnswerEvent } from "../../../answer/answer-event.ts";
import { collect } from "./message.ts";

async function collected(...events: AnswerEvent[]) {
  async function* source(): AsyncGenerator<AnswerEvent[]> {
    yield events;
  }
  const { body } = await collect(source(), "asked");
  return JSON.parse(JSON.stringify(body)) as Record<string, unknown> & { choices: unknown[] };
}

test("an answer is collected into OpenAI's object, its fields folded", async () => {
  const body = await collected(
    { type: "extra", at: "chunk", fields: { id: "up", created: 7, model: "real", system_fingerprint: "fp" } },
    { type: "reasoning", text: "h" },
    { type: "reasoning", text: "m", block: 0, signature: "sig" },
    { type: "text", text: "a" },
    { type: "extra", at: "choice", fields: { logprobs: { content: [1], refusal: null } } },
    { type: "text", text: "b" },
    { type: "extra", at: "choice", fields: { logprobs: { content: [2], refusal: null } } },
    { type: "tool-call", index: 0, id: "c1", name: "f", arguments: "{" },
    { type: "tool-call", index: 0, arguments: "}" },
    { type: "finish", reason: "tool_calls", native: "tool_use" },
    {
      type: "usage",
      usage: { input: 1, output: 2, raw: { prompt_tokens: 1, completion_tokens: 2, cost: 0.5 } },
      source: "upstream",
    },
  );
  expect(body).toEqual({
    id: "up",
    object: "chat.completion",
    created: 7,
    model: "real",
    choices: [
      {
        index: 0,
        message: {
          role: "assistant",
          content: "ab",
          reasoning_content: "hm",
          reasoning_details: [{ type: "reasoning.text", text: "m", signature: "sig", index: 0 }],
          tool_calls: [{ id: "c1", type: "function", function: { name: "f", arguments: "{}" } }],
        },
        logprobs: { content: [1, 2], refusal: null },
        finish_reason: "tool_calls",
        native_finish_reason: "tool_use",
      },
    ],
    usage: { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3, cost: 0.5 },
    system_fingerprint: "fp",
  });
});

test("choices come in their order, whichever spoke first; tool calls alone have null content", async () => {
  const { choices } = await collected(
    { type: "text", text: "second", choice: 1 },
    { type: "tool-call", index: 0, id: "c", name: "f", arguments: "{}" },
    { type: "finish", reason: "stop", choice: 1 },
    { type: "finish", reason: "tool_calls" },
  );
  expect(choices).toMatchObject([
    { index: 0, message: { content: null } },
    { index: 1, message: { content: "second" } },
  ]);
});

test("a refusal grows piece by piece and takes the place of null", async () => {
  const { choices } = await collected(
    { type: "extra", at: "delta", fields: { refusal: "I can" } },
    { type: "extra", at: "delta", fields: { refusal: "not." } },
    { type: "finish", reason: "stop" },
  );
  expect(choices).toMatchObject([{ message: { content: null, refusal: "I cannot." } }]);
});

test("collecting many logprobs takes linear work", async () => {
  const count = 50_000;
  async function* source(): AsyncGenerator<AnswerEvent[]> {
    for (let i = 0; i < count; i++)
      yield [{ type: "extra", at: "choice", fields: { logprobs: { content: [{ i }] } } }];
    yield [{ type: "finish", reason: "stop" }];
  }
  const { body } = await collect(source(), "m");
  const [choice] = body["choices"] as { logprobs: { content: unknown[] } }[];
  expect(choice?.logprobs.content).toHaveLength(count);
});

test("calls of custom tools, and the end of a function call, are as OpenAI writes them", async () => {
  const body = await collected(
    { type: "tool-call", index: 0, id: "c1", name: "sql", arguments: "", fields: { type: "custom" } },
    { type: "tool-call", index: 0, arguments: "SELECT 1", fields: { type: "custom" } },
    { type: "finish", reason: "tool_calls", native: "function_call" },
  );
  expect(body.choices).toMatchObject([
    {
      message: { tool_calls: [{ id: "c1", type: "custom", custom: { name: "sql", input: "SELECT 1" } }] },
      finish_reason: "function_call",
    },
  ]);
});

test("a field that is called `__proto__` is one like any other", async () => {
  const fields = JSON.parse('{"__proto__":{"a":1}}') as { readonly [name: string]: { readonly a: number } };
  const { choices, ...body } = await collected(
    { type: "extra", at: "chunk", fields },
    { type: "extra", at: "choice", fields },
    { type: "extra", at: "delta", fields },
    { type: "text", text: "a" },
    { type: "finish", reason: "stop", fields },
  );
  const [choice] = choices as { readonly message: object }[];
  for (const where of [body, choice, choice?.message]) {
    expect(Object.getOwnPropertyDescriptor(where, "__proto__")?.value).toEqual({ a: 1 });
  }
});

// @openai/agents and others look at these only where there is no text, and an empty one is one.
test.each([
  { refusal: "No." },
  { audio: { id: "a", data: "…" } },
  { function_call: { name: "f", arguments: "{}" } },
])("an answer that is no text, but %j, has no content", async (fields) => {
  const finish = { type: "finish", reason: "stop" } as const;
  const alone = await collected({ type: "extra", at: "delta", fields }, finish);
  expect(alone.choices).toMatchObject([{ message: { content: null, ...fields } }]);
  const beside = await collected(
    { type: "extra", at: "delta", fields },
    { type: "text", text: "Well" },
    finish,
  );
  expect(beside.choices).toMatchObject([{ message: { content: "Well", ...fields } }]);
  const neither = await collected({ type: "extra", at: "delta", fields: { refusal: null } }, finish);
  expect(neither.choices).toMatchObject([{ message: { content: "" } }]);
});

test("fields of the whole answer take the place of nothing that has events of its own", async () => {
  const fields = { choices: "none", usage: 7, object: "x", error: "y", citations: ["a"] };
  const body = await collected({ type: "extra", at: "chunk", fields }, { type: "text", text: "Hi" });
  expect(body).toMatchObject({
    object: "chat.completion",
    choices: [{ message: { content: "Hi" } }],
    citations: ["a"],
  });
  expect(Object.keys(body)).not.toContain("error");
  expect(Object.keys(body)).not.toContain("usage");
});
