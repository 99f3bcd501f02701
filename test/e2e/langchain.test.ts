import { afterAll, beforeAll, expect, test } from "bun:test";
import { AIMessageChunk, HumanMessage, ToolMessage } from "@langchain/core/messages";
import { tool } from "@langchain/core/tools";
import { ChatOpenAI } from "@langchain/openai";
import type { ScriptedGateway, Step } from "../support/scripted-gateway.ts";
import { HELLO, say, spent, startScripted, stop } from "../support/scripted-gateway.ts";

/**
 * LangChain, as n8n and LibreChat use it, against a gateway with a stranger's plugin.
 * @module
 */
const ANSWERS: Readonly<Record<string, readonly Step[]>> = {
  hello: HELLO,
  agent: [
    {
      first: [
        { type: "tool-call", index: 0, id: "call_1", name: "add", arguments: '{"a":2,' },
        { type: "tool-call", index: 1, id: "call_2", name: "add", arguments: '{"a":' },
        { type: "tool-call", index: 0, arguments: '"b":3}' },
        { type: "tool-call", index: 1, arguments: '4,"b":5}' },
        { type: "finish", reason: "tool_calls" },
        spent(9, 4),
      ],
    },
    { mirror: true },
    stop(),
  ],
  "breaks-off": [say("Once upon"), { fail: "failed", message: "the engine caught fire" }],
  "falls-silent": [say("Well"), { hang: true }],
};

let gateway: ScriptedGateway;
beforeAll(async () => void (gateway = await startScripted(ANSWERS)));
afterAll(() => gateway[Symbol.asyncDispose]());

function chat(model: string, apiKey = gateway.key): ChatOpenAI {
  return new ChatOpenAI({ model, apiKey, maxRetries: 0, configuration: { baseURL: gateway.baseURL } });
}

const add = tool(({ a, b }: { a: number; b: number }) => String(a + b), {
  name: "add",
  description: "adds",
  schema: { type: "object", properties: { a: { type: "number" }, b: { type: "number" } } } as const,
});

test("invoke gets the text and usage_metadata", async () => {
  const answer = await chat("hello").invoke("Well?");
  expect(answer.text).toBe("Hello, world");
  expect(answer.usage_metadata).toMatchObject({ input_tokens: 7, output_tokens: 3, total_tokens: 10 });
  expect(answer.response_metadata).toMatchObject({ finish_reason: "stop" });
});

test("stream gets the pieces, and usage_metadata once", async () => {
  const chunks = await Array.fromAsync(await chat("hello").stream("Well?"));
  expect(chunks.map(({ text }) => text).filter((text) => text !== "")).toEqual(["Hello, ", "world"]);
  expect(chunks.filter((chunk) => chunk.usage_metadata)).toHaveLength(1);
  const whole = chunks.reduce((sum, chunk) => sum.concat(chunk), new AIMessageChunk(""));
  expect(whole.usage_metadata).toMatchObject({ input_tokens: 7, output_tokens: 3 });
});

test("parallel tool calls are put together from a stream, and their results go back", async () => {
  const model = chat("agent").bindTools([add]);
  const chunks = await Array.fromAsync(await model.stream("Well?"));
  const asked = chunks.reduce((sum, chunk) => sum.concat(chunk), new AIMessageChunk(""));
  expect(asked.tool_calls).toMatchObject([
    { id: "call_1", name: "add", args: { a: 2, b: 3 } },
    { id: "call_2", name: "add", args: { a: 4, b: 5 } },
  ]);
  const results = (asked.tool_calls ?? []).map(
    ({ id = "", args }) =>
      new ToolMessage({ tool_call_id: id, content: String(Number(args["a"]) + Number(args["b"])) }),
  );
  const answer = await model.invoke([new HumanMessage("Well?"), asked, ...results]);
  const seen = JSON.parse(answer.text) as { messages: object[]; tools: object[] };
  expect(seen.messages.slice(1)).toMatchObject([
    { role: "assistant", tool_calls: [{ id: "call_1" }, { id: "call_2" }] },
    { role: "tool", tool_call_id: "call_1", content: "5" },
    { role: "tool", tool_call_id: "call_2", content: "9" },
  ]);
  expect(seen.tools).toMatchObject([{ type: "function", function: { name: "add" } }]);
});

test("errors keep their status, and a stream that breaks off rejects", async () => {
  await expect(chat("hello", "sk-wrong").invoke("Well?")).rejects.toMatchObject({ status: 401 });
  await expect(chat("helo").invoke("Well?")).rejects.toMatchObject({ status: 404 });
  const stream = await chat("breaks-off").stream("Well?");
  const heard: string[] = [];
  const reading = (async () => {
    for await (const chunk of stream) heard.push(chunk.text);
  })();
  const error: unknown = await reading.catch((reason: unknown) => reason);
  expect(String(error)).toContain("the engine caught fire");
  expect(heard.join("")).toBe("Once upon");
});

test("abort in mid-stream ends the upstream's work", async () => {
  const leaving = new AbortController();
  const stream = await chat("falls-silent").stream("Well?", { signal: leaving.signal });
  const reading = (async () => {
    for await (const chunk of stream) if (chunk.text === "Well") leaving.abort();
  })();
  const error: unknown = await reading.catch((reason: unknown) => reason);
  expect(error).toMatchObject({ name: "AbortError" });
  await gateway.quiet();
});
