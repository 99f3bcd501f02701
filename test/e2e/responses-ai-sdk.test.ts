import { afterAll, beforeAll, expect, test } from "bun:test";
import { createOpenAI } from "@ai-sdk/openai";
import { generateText, jsonSchema, Output, stepCountIs, streamText, tool } from "ai";
import type { ScriptedGateway, Step } from "../support/scripted-gateway.ts";
import { say, spent, startScripted, stop } from "../support/scripted-gateway.ts";

/**
 * The AI SDK's `openai()`, which speaks Responses by default and refers to earlier items by their ids.
 * @module
 */

const LOOK: readonly Step[] = [
  { type: "reasoning", text: "Hm.", block: 0 },
  { type: "reasoning", text: "", block: 0, signature: "signed" },
  say("I look."),
  { type: "tool-call", index: 0, id: "c1", name: "weather", arguments: '{"city":"Rome"}' },
  { type: "finish", reason: "tool_calls" },
  spent(3, 4),
];
const ANSWERS = {
  loop: [{ first: LOOK }, { mirror: true }, stop(), spent(5, 6)],
  "gpt-5": [{ type: "reasoning", text: "Thinking…" }, say("Well."), stop(), spent(1, 2)],
  json: [say('{"a":1}'), stop(), spent(1, 1)],
  cut: [say("Half"), { type: "finish", reason: "length" }, spent(1, 1)],
  broken: [say("Half"), { fail: "truncated", message: "it broke off" }],
} satisfies Record<string, readonly Step[]>;

let gateway: ScriptedGateway;
let openai: ReturnType<typeof createOpenAI>;

beforeAll(async () => {
  const upstream = { options: { answers: ANSWERS, extensions: ["reasoning_details"] } };
  gateway = await startScripted(ANSWERS, { upstream });
  openai = createOpenAI({ baseURL: gateway.baseURL, apiKey: gateway.key });
});
afterAll(() => gateway[Symbol.asyncDispose]());

test("a tool loop goes on from what was said, signed reasoning included", async () => {
  const weather = tool({
    inputSchema: jsonSchema<{ city: string }>({ type: "object", properties: { city: { type: "string" } } }),
    execute: async ({ city }) => `${city}: 20 °C`,
  });
  const { text, steps } = await generateText({
    model: openai("loop"),
    tools: { weather },
    stopWhen: stepCountIs(3),
    prompt: "Weather?",
  });
  expect(steps).toHaveLength(2);
  expect((JSON.parse(text) as { messages: unknown }).messages).toMatchObject([
    { role: "user", content: "Weather?" },
    {
      role: "assistant",
      content: "I look.",
      reasoning_details: [{ text: "Hm.", signature: "signed" }],
      tool_calls: [{ id: "c1", function: { name: "weather" } }],
    },
    { role: "tool", tool_call_id: "c1", content: "Rome: 20 °C" },
  ]);
});

test("reasoning is read where its summary is asked for", async () => {
  const providerOptions = { openai: { reasoningSummary: "auto" } };
  const result = streamText({ model: openai("gpt-5"), prompt: "Hi", providerOptions });
  expect([await result.reasoningText, await result.text]).toEqual(["Thinking…", "Well."]);
  expect(await result.usage).toMatchObject({ inputTokens: 1, outputTokens: 2, totalTokens: 3 });
});

test("structured output is read", async () => {
  const schema = jsonSchema<{ a: number }>({ type: "object", properties: { a: { type: "number" } } });
  const { output } = await generateText({
    model: openai("json"),
    output: Output.object({ schema }),
    prompt: "Hi",
  });
  expect(output).toEqual({ a: 1 });
});

test("an answer that was cut short ends with length, and one that broke off with an error", async () => {
  expect(await streamText({ model: openai("cut"), prompt: "Hi" }).finishReason).toBe("length");
  const errors: unknown[] = [];
  const broken = streamText({
    model: openai("broken"),
    prompt: "Hi",
    maxRetries: 0,
    onError: ({ error }) => void errors.push(error),
  });
  const kinds: string[] = [];
  for await (const { type } of broken.fullStream) kinds.push(type);
  expect(kinds).toContain("error");
  expect(errors).toHaveLength(1);
});
