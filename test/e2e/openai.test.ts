import { afterAll, describe, expect, test } from "bun:test";
import OpenAI from "openai";
import type { ChatCompletionChunk, ChatCompletionMessageParam } from "openai/resources/chat/completions";
import type { Answers, Step } from "../support/scripted-gateway.ts";
import { HELLO, say, spent, startScripted, stop } from "../support/scripted-gateway.ts";

/**
 * The official client against a gateway with a stranger's plugin: answers and tools.
 * @module
 */
const TWO_CALLS: readonly Step[] = [
  { type: "reasoning", text: "Two cities, " },
  { type: "reasoning", text: "two calls." },
  { type: "tool-call", index: 0, id: "call_a", name: "weather", arguments: "" },
  { type: "tool-call", index: 0, arguments: '{"city":' },
  { type: "tool-call", index: 1, id: "call_b", name: "weather", arguments: '{"ci' },
  { type: "tool-call", index: 0, arguments: '"Paris"}' },
  { type: "tool-call", index: 1, arguments: 'ty":"Łódź"}' },
  { type: "finish", reason: "tool_calls" },
  spent(50, 20),
];

const ANSWERS: Answers = {
  hello: HELLO,
  "two-calls": TWO_CALLS,
  agent: [
    {
      first: [
        { type: "tool-call", index: 0, id: "call_1", name: "add", arguments: '{"a":2,"b":3}' },
        { type: "finish", reason: "tool_calls" },
      ],
    },
    { mirror: true },
    stop(),
  ],
  "three-choices": [
    say("a", 0),
    say("b", 1),
    say("c", 2),
    say("A", 0),
    stop(0),
    say("C", 2),
    stop(2),
    say("B", 1),
    stop(1),
  ],
  thoughtful: [{ type: "reasoning", text: "Let me " }, { type: "reasoning", text: "think." }, ...HELLO],
  measured: [
    { type: "extra", at: "chunk", fields: { id: "resp-1", created: 1_700_000_123, model: "measured-0613" } },
    { type: "extra", at: "chunk", fields: { system_fingerprint: "fp_1" } },
    say("Hi"),
    { type: "extra", at: "choice", fields: { logprobs: { content: [logprob("Hi")] } } },
    say("!"),
    { type: "extra", at: "choice", fields: { logprobs: { content: [logprob("!")] } } },
    stop(),
    {
      type: "usage",
      usage: { input: 9, output: 2, cachedInput: 4, reasoning: 1 },
    },
  ],
  refusing: [{ type: "extra", at: "delta", fields: { refusal: "I can't help with that." } }, stop()],
  long: [say("cut"), { type: "finish", reason: "length" }],
  mirror: [{ mirror: true }, stop()],
  partly: [{ ignores: "seed" }, ...HELLO],
};

const question: ChatCompletionMessageParam[] = [{ role: "user", content: "Well?" }];

/** A field that the SDK's types don't know. */
type ReasoningDelta = ChatCompletionChunk.Choice.Delta & { readonly reasoning_content?: string };

const gateway = await startScripted(ANSWERS);
const client = new OpenAI({ baseURL: gateway.baseURL, apiKey: gateway.key, maxRetries: 0 });
afterAll(() => gateway[Symbol.asyncDispose]());

function logprob(token: string) {
  return { token, logprob: -0.25, bytes: [...Buffer.from(token)], top_logprobs: [] };
}

async function chunksOf(model: string, extra: object = {}): Promise<ChatCompletionChunk[]> {
  const stream = await client.chat.completions.create({ model, messages: question, stream: true, ...extra });
  return Array.fromAsync(stream);
}

describe("answers", () => {
  test("a plain answer has its text, its usage and the asked model", async () => {
    const answer = await client.chat.completions.create({ model: "hello", messages: question });
    expect(answer).toMatchObject({
      object: "chat.completion",
      model: "hello",
      choices: [{ index: 0, finish_reason: "stop", message: { role: "assistant", content: "Hello, world" } }],
      usage: { prompt_tokens: 7, completion_tokens: 3, total_tokens: 10 },
    });
    expect(answer.id).toMatch(/^chatcmpl-\w+$/);
    expect(Math.abs(answer.created - Date.now() / 1000)).toBeLessThan(60);
    expect(answer._request_id).toMatch(/^req_\w+$/);
  });

  test("a streamed answer is the same text in pieces, without usage unless asked for", async () => {
    const chunks = await chunksOf("hello");
    expect(chunks.map(({ choices }) => choices[0]?.delta.content ?? "").join("")).toBe("Hello, world");
    expect(chunks.at(-1)?.choices[0]?.finish_reason).toBe("stop");
    expect(new Set(chunks.map(({ id }) => id)).size).toBe(1);
    expect(chunks.some(({ usage }) => usage)).toBeFalse();
    expect(chunks[0]?.choices[0]?.delta.role).toBe("assistant");
  });

  test("include_usage adds one last chunk without choices", async () => {
    const chunks = await chunksOf("hello", { stream_options: { include_usage: true } });
    expect(chunks.filter(({ usage }) => usage)).toHaveLength(1);
    expect(chunks.at(-1)).toMatchObject({
      choices: [],
      usage: { prompt_tokens: 7, completion_tokens: 3, total_tokens: 10 },
    });
  });

  test("usage that the upstream doesn't tell is estimated, and says so", async () => {
    const [last] = (await chunksOf("mirror", { stream_options: { include_usage: true } })).slice(-1);
    expect(last?.usage?.completion_tokens).toBeGreaterThan(10);
    expect(last).toMatchObject({ x_modelyard: { usage: "estimated" } });
  });

  test("the SDK's own stream helper puts an answer together", async () => {
    const stream = client.chat.completions.stream({ model: "hello", messages: question });
    const heard: string[] = [];
    stream.on("content", (delta) => heard.push(delta));
    const final = await stream.finalChatCompletion();
    expect(heard).toEqual(["Hello, ", "world"]);
    expect(final.choices[0]?.message.content).toBe("Hello, world");
  });

  test("several choices come interleaved and are told apart", async () => {
    const stream = client.chat.completions.stream({ model: "three-choices", messages: question, n: 3 });
    const streamed = await stream.finalChatCompletion();
    const plain = await client.chat.completions.create({ model: "three-choices", messages: question, n: 3 });
    for (const { choices } of [streamed, plain]) {
      expect(choices.map(({ index, message }) => [index, message.content])).toEqual([
        [0, "aA"],
        [1, "bB"],
        [2, "cC"],
      ]);
    }
  });

  test("reasoning stands in reasoning_content, and never in one delta with the text", async () => {
    const chunks = await chunksOf("thoughtful");
    const deltas = chunks.map(({ choices }) => choices[0]?.delta as ReasoningDelta | undefined);
    expect(deltas.map((delta) => delta?.reasoning_content ?? "").join("")).toBe("Let me think.");
    expect(deltas.filter((delta) => delta?.reasoning_content && delta.content)).toEqual([]);
    const { choices } = await client.chat.completions.create({ model: "thoughtful", messages: question });
    expect(choices[0]?.message).toMatchObject({
      content: "Hello, world",
      reasoning_content: "Let me think.",
    });
  });

  test("what the upstream says beside the text reaches the client, streamed and plain", async () => {
    const plain = await client.chat.completions.create({ model: "measured", messages: question });
    expect(plain).toMatchObject({
      id: "resp-1",
      created: 1_700_000_123,
      model: "measured-0613",
      system_fingerprint: "fp_1",
      usage: {
        prompt_tokens_details: { cached_tokens: 4 },
        completion_tokens_details: { reasoning_tokens: 1 },
      },
    });
    expect(plain.choices[0]?.logprobs?.content?.map(({ token }) => token)).toEqual(["Hi", "!"]);
    const stream = client.chat.completions.stream({ model: "measured", messages: question });
    const streamed = await stream.finalChatCompletion();
    expect(streamed).toMatchObject({ id: "resp-1", created: 1_700_000_123, model: "measured-0613" });
    expect(streamed.choices[0]?.logprobs?.content?.map(({ token }) => token)).toEqual(["Hi", "!"]);
  });

  test("a refusal and a cut by length keep their form", async () => {
    const refused = await client.chat.completions.create({ model: "refusing", messages: question });
    expect(refused.choices[0]?.message.refusal).toBe("I can't help with that.");
    const cut = await client.chat.completions.create({ model: "long", messages: question });
    expect(cut.choices[0]?.finish_reason).toBe("length");
  });

  test("fields that the gateway doesn't know reach the plugin as they are", async () => {
    const extra = {
      temperature: 0.5,
      reasoning_effort: "low" as const,
      prompt_cache_key: "k",
      metadata: { a: "b" },
      vendor_thing: { deep: [1, null, { x: "ü" }] },
    };
    const messages: ChatCompletionMessageParam[] = [
      { role: "developer", content: [{ type: "text", text: "be brief" }] },
      { role: "user", content: [{ type: "image_url", image_url: { url: "data:image/png;base64,AA==" } }] },
    ];
    const { choices } = await client.chat.completions.create({ model: "mirror", messages, ...extra });
    expect(JSON.parse(choices[0]?.message.content ?? "")).toEqual({ model: "mirror", messages, ...extra });
  });

  test("a parameter that can't be honoured is named in a header", async () => {
    const { response } = await client.chat.completions
      .create({ model: "partly", messages: question, seed: 1 })
      .withResponse();
    expect(response.headers.get("x-modelyard-ignored")).toBe("seed");
    expect(response.headers.get("x-modelyard-upstream")).toBe("scripted");
  });
});

describe("tools", () => {
  const tools = [
    {
      type: "function" as const,
      function: { name: "weather", parameters: { type: "object", properties: {} } },
    },
  ];
  const expected = [
    { id: "call_a", type: "function", function: { name: "weather", arguments: '{"city":"Paris"}' } },
    { id: "call_b", type: "function", function: { name: "weather", arguments: '{"city":"Łódź"}' } },
  ];

  test("parallel calls are put together by the SDK's stream helper", async () => {
    const stream = client.chat.completions.stream({ model: "two-calls", messages: question, tools });
    const { choices } = await stream.finalChatCompletion();
    expect(choices[0]?.finish_reason).toBe("tool_calls");
    expect(choices[0]?.message.tool_calls).toMatchObject(expected);
  });

  test("a plain answer has them whole", async () => {
    const { choices } = await client.chat.completions.create({
      model: "two-calls",
      messages: question,
      tools,
    });
    expect(choices[0]?.message).toMatchObject({ content: null, tool_calls: expected });
  });

  test("runTools runs them and sends their results back", async () => {
    const runner = client.chat.completions.runTools({
      model: "agent",
      messages: question,
      stream: true,
      tools: [
        {
          type: "function",
          function: {
            name: "add",
            description: "adds",
            parameters: { type: "object", properties: {} },
            parse: (text: string) => JSON.parse(text) as { a: number; b: number },
            function: ({ a, b }: { a: number; b: number }) => String(a + b),
          },
        },
      ],
    });
    const seen = JSON.parse((await runner.finalContent()) ?? "") as { messages: unknown[] };
    expect(seen.messages.at(-1)).toMatchObject({ role: "tool", tool_call_id: "call_1", content: "5" });
  });
});
