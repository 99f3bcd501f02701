import { afterAll, beforeAll, expect, test } from "bun:test";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { APICallError, generateText, jsonSchema, stepCountIs, streamText, tool } from "ai";
import type { ScriptedGateway, Step } from "../support/scripted-gateway.ts";
import { HELLO, say, spent, startScripted, stop } from "../support/scripted-gateway.ts";
import { until } from "../support/until.ts";

/**
 * Vercel's AI SDK, as Cline uses it, against a gateway with a stranger's plugin.
 * @module
 */
const ANSWERS: Readonly<Record<string, readonly Step[]>> = {
  hello: [{ type: "reasoning", text: "Be polite." }, ...HELLO],
  agent: [
    {
      first: [
        { type: "tool-call", index: 0, id: "call_1", name: "add", arguments: '{"a":2,' },
        { type: "tool-call", index: 0, arguments: '"b":3}' },
        { type: "finish", reason: "tool_calls" },
        spent(9, 4),
      ],
    },
    say("It is 5."),
    stop(),
    spent(20, 4),
  ],
  "breaks-off": [say("Once upon"), { fail: "failed", message: "the engine caught fire" }],
  truncated: [say("Once upon")],
  limited: [{ fail: "rate-limited", message: "slow down", retryAfterMs: 3_000 }],
  "too-long": [{ fail: "context-length", message: "9,000 tokens are too many" }],
  "falls-silent": [say("Well"), { hang: true }],
  silent: [{ hang: true }],
};

let gateway: ScriptedGateway;
let provider: ReturnType<typeof createOpenAICompatible>;

beforeAll(async () => {
  gateway = await startScripted(ANSWERS);
  provider = createOpenAICompatible({
    name: "modelyard",
    baseURL: gateway.baseURL,
    apiKey: gateway.key,
    includeUsage: true,
  });
});
afterAll(() => gateway[Symbol.asyncDispose]());

const add = tool({
  description: "adds",
  inputSchema: jsonSchema<{ a: number; b: number }>({
    type: "object",
    properties: { a: { type: "number" }, b: { type: "number" } },
  }),
  execute: ({ a, b }) => a + b,
});

function asked(model: string) {
  return { model: provider(model), prompt: "Well?", maxRetries: 0 };
}

async function rejection(promise: PromiseLike<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
}

test("generateText gets text, reasoning, usage and the reason of the end", async () => {
  const answer = await generateText(asked("hello"));
  expect(answer.text).toBe("Hello, world");
  expect(answer.reasoningText).toBe("Be polite.");
  expect(answer.finishReason).toBe("stop");
  expect(answer.usage).toMatchObject({ inputTokens: 7, outputTokens: 3, totalTokens: 10 });
});

test("streamText gets the same in pieces", async () => {
  const answer = streamText(asked("hello"));
  expect(await Array.fromAsync(answer.textStream)).toEqual(["Hello, ", "world"]);
  expect(await answer.reasoningText).toBe("Be polite.");
  expect(await answer.finishReason).toBe("stop");
  expect(await answer.usage).toMatchObject({ inputTokens: 7, outputTokens: 3 });
});

test("a tool is called in a stream, and its result answered", async () => {
  const answer = streamText({ ...asked("agent"), tools: { add }, stopWhen: stepCountIs(2) });
  await answer.consumeStream();
  const [first] = await answer.steps;
  expect(first?.toolCalls).toMatchObject([{ toolName: "add", input: { a: 2, b: 3 } }]);
  expect(first?.toolResults).toMatchObject([{ output: 5 }]);
  expect(await answer.text).toBe("It is 5.");
});

test.each([
  ["breaks-off", "the engine caught fire"],
  ["truncated", "the upstream's answer broke off before its end"],
])("%s: a stream that fails in the middle is an error, not a short answer", async (model, message) => {
  const errors: unknown[] = [];
  const answer = streamText({ ...asked(model), onError: ({ error }) => void errors.push(error) });
  const parts = await Array.fromAsync(answer.fullStream);
  expect(parts.flatMap((part) => (part.type === "text-delta" ? part.text : []))).toEqual(["Once upon"]);
  expect(parts.filter(({ type }) => type === "error")).toHaveLength(1);
  expect(errors.map(String).join()).toContain(message);
  expect(await answer.finishReason).toBe("error");
});

test("an error's status tells the SDK whether to retry", async () => {
  const limited = await rejection(generateText(asked("limited")));
  expect(APICallError.isInstance(limited) && limited).toMatchObject({
    statusCode: 429,
    isRetryable: true,
    message: "slow down",
    responseHeaders: { "retry-after": "3" },
  });
  const tooLong = await rejection(generateText(asked("too-long")));
  expect(APICallError.isInstance(tooLong) && tooLong).toMatchObject({ statusCode: 400, isRetryable: false });
  const unknown = await rejection(generateText(asked("helo")));
  expect(APICallError.isInstance(unknown) && unknown.message).toContain('did you mean "hello"');
});

test("abort ends the upstream's work, before the first event and in mid-stream", async () => {
  const waiting = new AbortController();
  const before = gateway.status().begun;
  const plain = rejection(generateText({ ...asked("silent"), abortSignal: waiting.signal }));
  await until(() => gateway.status().begun > before, "the upstream's work to begin");
  waiting.abort();
  expect(await plain).toMatchObject({ name: "AbortError" });
  await gateway.quiet();

  const leaving = new AbortController();
  const streamed = streamText({ ...asked("falls-silent"), abortSignal: leaving.signal });
  const parts: string[] = [];
  for await (const part of streamed.fullStream) {
    parts.push(part.type);
    if (part.type === "text-delta") leaving.abort();
  }
  expect(parts.at(-1)).toBe("abort");
  await gateway.quiet();
});
