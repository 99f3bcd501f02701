import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import OpenAI, {
  APIConnectionError,
  APIError,
  APIUserAbortError,
  AuthenticationError,
  BadRequestError,
  InternalServerError,
  NotFoundError,
  PermissionDeniedError,
  RateLimitError,
} from "openai";
import type { ChatCompletionChunk, ChatCompletionMessageParam } from "openai/resources/chat/completions";
import { closedGate } from "../support/gate.ts";
import type { ScriptedGateway, Step } from "../support/scripted-gateway.ts";
import { HELLO, say, spent, startScripted, stop } from "../support/scripted-gateway.ts";
import { until } from "../support/until.ts";

/**
 * The official client against a gateway with a stranger's plugin.
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

const ANSWERS: Readonly<Record<string, readonly Step[]>> = {
  hello: HELLO,
  "vendor/family/model:free": [say("slashes"), stop()],
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
  "breaks-off": [say("Once upon"), { fail: "failed", message: "the engine caught fire" }],
  truncated: [say("Once upon a")],
  "too-long": [{ fail: "context-length", message: "9,000 tokens are too many", param: "messages" }],
  "bad-field": [{ fail: "bad-request", message: "temperature must be at most 2", param: "temperature" }],
  limited: [{ fail: "rate-limited", message: "slow down", retryAfterMs: 1_500 }],
  down: [{ fail: "unavailable", message: "nobody is at home" }],
  "down-once": [{ fail: "unavailable", message: "a moment", retryAfterMs: 10, times: 1 }, ...HELLO],
  buggy: [{ bug: "undefined is not a function: secret-of-the-plugin" }],
  "buggy-late": [say("So"), { bug: "undefined is not a function: secret-of-the-plugin" }],
  silent: [{ hang: true }],
  "falls-silent": [say("Well"), { hang: true }],
};

const KEYS = `
keys:
  - { name: all, key: sk-all-0123456789 }
  - { name: few, key: sk-few-0123456789, models: [hello] }
  - { name: old, key: sk-old-0123456789, expires: 2020-01-01 }
`;

const question: ChatCompletionMessageParam[] = [{ role: "user", content: "Well?" }];

/** A field that the SDK's types don't know. */
type ReasoningDelta = ChatCompletionChunk.Choice.Delta & { readonly reasoning_content?: string };

let gateway: ScriptedGateway;
let client: OpenAI;

beforeAll(async () => {
  gateway = await startScripted(ANSWERS, { yaml: KEYS });
  client = new OpenAI({ baseURL: gateway.baseURL, apiKey: "sk-all-0123456789", maxRetries: 0 });
});
afterAll(() => gateway[Symbol.asyncDispose]());

function logprob(token: string) {
  return { token, logprob: -0.25, bytes: [...Buffer.from(token)], top_logprobs: [] };
}

async function chunksOf(model: string, extra: object = {}): Promise<ChatCompletionChunk[]> {
  const stream = await client.chat.completions.create({ model, messages: question, stream: true, ...extra });
  return Array.fromAsync(stream);
}

/** What a promise was rejected with; fails the test when it wasn't, or with another class. */
async function rejection<T extends Error>(
  promise: Promise<unknown>,
  type: abstract new (...parameters: never[]) => T,
): Promise<T> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(type);
  return error as T;
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

describe("errors", () => {
  test("a wrong key is an AuthenticationError", async () => {
    const stranger = new OpenAI({ baseURL: gateway.baseURL, apiKey: "sk-wrong", maxRetries: 0 });
    const error = await rejection(
      stranger.chat.completions.create({ model: "hello", messages: question }),
      AuthenticationError,
    );
    expect(error).toMatchObject({ status: 401, code: "invalid_api_key", type: "invalid_request_error" });
    expect(error.requestID).toMatch(/^req_/);
  });

  test("a key that has expired, or may not use the model, is a PermissionDeniedError", async () => {
    const old = new OpenAI({ baseURL: gateway.baseURL, apiKey: "sk-old-0123456789", maxRetries: 0 });
    expect(await rejection(old.models.list(), PermissionDeniedError)).toMatchObject({ code: "key_expired" });
    const few = new OpenAI({ baseURL: gateway.baseURL, apiKey: "sk-few-0123456789", maxRetries: 0 });
    const denied = few.chat.completions.create({ model: "mirror", messages: question });
    expect(await rejection(denied, PermissionDeniedError)).toMatchObject({
      code: "model_not_allowed",
      param: "model",
    });
  });

  test("an unknown model is a NotFoundError that names the nearest ones", async () => {
    for (const stream of [false, true]) {
      const error = await rejection(
        client.chat.completions.create({ model: "helo", messages: question, stream }),
        NotFoundError,
      );
      expect(error).toMatchObject({ status: 404, code: "model_not_found", param: "model" });
      expect(error.message).toContain('did you mean "hello"');
    }
  });

  test("a field of the wrong kind is a BadRequestError that names it", async () => {
    const wrong = client.chat.completions.create({
      model: "hello",
      messages: [...question, { role: "user", content: 7 as never }],
    });
    expect(await rejection(wrong, BadRequestError)).toMatchObject({
      code: "invalid_value",
      param: "messages[1].content",
    });
    const missing = client.chat.completions.create({ model: "hello" } as never);
    expect(await rejection(missing, BadRequestError)).toMatchObject({
      code: "missing_required_parameter",
      param: "messages",
    });
  });

  test.each([
    ["too-long", BadRequestError, { code: "context_length_exceeded", param: "messages" }],
    ["bad-field", BadRequestError, { code: "invalid_value", param: "temperature" }],
    ["limited", RateLimitError, { status: 429, code: "rate_limit_exceeded" }],
    ["down", InternalServerError, { status: 503, code: "upstream_unavailable" }],
    ["buggy", InternalServerError, { status: 502, code: "upstream_bad_response" }],
    ["truncated", InternalServerError, { status: 502, code: "upstream_truncated" }],
    ["breaks-off", InternalServerError, { status: 502, code: "upstream_error" }],
  ] as const)("%s fails with its status when nothing was sent", async (model, type, expected) => {
    const error = await rejection(client.chat.completions.create({ model, messages: question }), type);
    expect(error).toMatchObject(expected);
    expect(error.message).not.toContain("secret-of-the-plugin");
  });

  test("a stream that fails before its first event has the failure's status", async () => {
    const stream = client.chat.completions.create({ model: "limited", messages: question, stream: true });
    const error = await rejection(stream, RateLimitError);
    // What is left of the 1.5 s for which the upstream wants to be left alone.
    expect(["1", "2"]).toContain(error.headers.get("retry-after") ?? "");
  });

  test.each([
    ["breaks-off", "Once upon", "the engine caught fire", "upstream_error"],
    ["truncated", "Once upon a", "the upstream's answer broke off before its end", "upstream_truncated"],
    ["buggy-late", "So", 'the plugin "scripted" of upstream "scripted" failed', "upstream_bad_response"],
  ])(
    "%s: a failure in mid-stream is raised after what came before it",
    async (model, said, message, code) => {
      const stream = await client.chat.completions.create({ model, messages: question, stream: true });
      let heard = "";
      const reading = (async () => {
        for await (const chunk of stream) heard += chunk.choices[0]?.delta.content ?? "";
      })();
      const error = await rejection(reading, APIError);
      expect(heard).toBe(said);
      expect(error.message).toContain(message);
      expect(error.code).toBe(code);
    },
  );

  test("a retry-after that the SDK obeys: a 503, then the answer", async () => {
    const patient = new OpenAI({ baseURL: gateway.baseURL, apiKey: "sk-all-0123456789", maxRetries: 1 });
    const before = gateway.status().begun;
    const answer = await patient.chat.completions.create({ model: "down-once", messages: question });
    expect(answer.choices[0]?.message.content).toBe("Hello, world");
    expect(gateway.status().begun - before).toBe(2);
  });
});

describe("leaving", () => {
  test("abort before the first event ends the upstream's work", async () => {
    for (const stream of [false, true]) {
      const leaving = new AbortController();
      const before = gateway.status().begun;
      const answer = client.chat.completions.create(
        { model: "silent", messages: question, stream },
        { signal: leaving.signal },
      );
      const failed = rejection(answer, APIUserAbortError);
      await until(() => gateway.status().begun > before, "the upstream's work to begin");
      leaving.abort();
      await failed;
      await gateway.quiet();
    }
  });

  test("abort in mid-stream ends the upstream's work", async () => {
    const stream = await client.chat.completions.create({
      model: "falls-silent",
      messages: question,
      stream: true,
    });
    for await (const chunk of stream) {
      expect(chunk.choices[0]?.delta.content).toBe("Well");
      stream.controller.abort();
    }
    await gateway.quiet();
  });

  test("breaking out of the loop ends the upstream's work", async () => {
    const stream = await client.chat.completions.create({
      model: "falls-silent",
      messages: question,
      stream: true,
    });
    for await (const _ of stream) break;
    await gateway.quiet();
  });

  test("a client that gives up waiting ends the upstream's work", async () => {
    const hasty = new OpenAI({
      baseURL: gateway.baseURL,
      apiKey: "sk-all-0123456789",
      timeout: 100,
      maxRetries: 0,
    });
    const answer = hasty.chat.completions.create({ model: "silent", messages: question });
    await rejection(answer, APIConnectionError);
    await gateway.quiet();
  });

  test("each event reaches the client as it comes", async () => {
    await using gate = closedGate();
    await using paced = await startScripted({
      paced: [say("first"), { gate: gate.url }, say(" last"), stop()],
    });
    const reader = new OpenAI({ baseURL: paced.baseURL, apiKey: paced.key });
    const stream = await reader.chat.completions.create({ model: "paced", messages: question, stream: true });
    const heard: string[] = [];
    for await (const chunk of stream) {
      const { content } = chunk.choices[0]?.delta ?? {};
      if (content) heard.push(content);
      // Only what has already arrived lets the upstream go on.
      if (content === "first") gate.open();
    }
    expect(heard).toEqual(["first", " last"]);
  });
});

describe("models", () => {
  test("models.list lists what the key may use", async () => {
    const ids = (await Array.fromAsync(client.models.list())).map(({ id }) => id);
    expect(ids.toSorted()).toEqual(Object.keys(ANSWERS).toSorted());
    const few = new OpenAI({ baseURL: gateway.baseURL, apiKey: "sk-few-0123456789" });
    expect((await few.models.list()).data).toEqual([
      { id: "hello", object: "model", created: 1_700_000_000, owned_by: "script" },
    ]);
  });

  test("models.retrieve knows a model by its id, slashes and all", async () => {
    expect(await client.models.retrieve("hello")).toMatchObject({ id: "hello", object: "model" });
    expect((await client.models.retrieve("vendor/family/model:free")).id).toBe("vendor/family/model:free");
    await rejection(client.models.retrieve("nobody"), NotFoundError);
  });

  test("a model id with slashes is answered, also when it is addressed by its upstream", async () => {
    for (const model of ["vendor/family/model:free", "scripted/vendor/family/model:free"]) {
      const answer = await client.chat.completions.create({ model, messages: question });
      expect(answer.choices[0]?.message.content).toBe("slashes");
    }
  });
});
