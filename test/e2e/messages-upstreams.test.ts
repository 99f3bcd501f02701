import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import Anthropic from "@anthropic-ai/sdk";
import type { JsonObject } from "modelyard/plugin";
import { jsonAnswer, openaiCompletion, sseAnswer, startFaultUpstream } from "../support/fault-upstream.ts";
import type { FaultUpstream } from "../support/fault-upstream.ts";
import type { RunningGateway } from "../support/gateway.ts";
import { startGateway } from "../support/gateway.ts";

/**
 * What an OpenAI-compatible server gets of a Messages request, and what becomes of what it refuses.
 * @module
 */

/** How servers say that an answer of 32,000 tokens is too long, and what they are asked for then. */
const BOUNDS: Readonly<Record<string, readonly [string, number]>> = {
  deepseek: ["Invalid max_tokens value, the valid range of max_tokens is [1, 8192]", 8192],
  dashscope: ["<400> InternalError.Algo.InvalidParameter: Range of max_tokens should be [1, 8192]", 8192],
  gemini: [
    "Unable to submit request because it has a maxOutputTokens value of 32000 but the supported range is from 1 (inclusive) to 8193 (exclusive).",
    8192,
  ],
  openrouter: [
    "This endpoint's maximum context length is 8192 tokens. However, you requested about 32192 tokens (100 of text input, 92 of tool input, 32000 in the output).",
    8000,
  ],
  together: [
    "`inputs` tokens + `max_new_tokens` must be <= 8193. Given: 25 `inputs` tokens and 32000 `max_new_tokens`",
    8168,
  ],
};

let upstream: FaultUpstream;
let gateway: RunningGateway;
let refuse: (body: JsonObject) => string | undefined;

beforeAll(async () => {
  upstream = await startFaultUpstream();
  upstream.respond = (exchange) => {
    const message = refuse(exchange.json() as JsonObject);
    if (message === undefined) return exchange.send(jsonAnswer(openaiCompletion("Hello")));
    exchange.head(400, { "content-type": "application/json" });
    exchange.chunk(JSON.stringify({ error: { message, type: "invalid_request_error" } }));
    return exchange.end();
  };
  const options = `{ base_url: "${upstream.url}/v1", models: [m, n, o, p, q, r, ${Object.keys(BOUNDS).join(", ")}] }`;
  gateway = await startGateway(
    `upstreams:
  plain: { plugin: openai, options: ${options} }
retry: { attempts: 1 }
`,
  );
});

afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await upstream[Symbol.asyncDispose]();
});

beforeEach(() => {
  refuse = () => undefined;
});

async function ask(more: JsonObject) {
  const asked = { model: "plain/m", max_tokens: 50, messages: [{ role: "user", content: "Hi" }], ...more };
  const response = await fetch(`${gateway.url}/v1/messages`, {
    method: "POST",
    headers: { "x-api-key": gateway.key, "content-type": "application/json" },
    body: JSON.stringify(asked),
  });
  return {
    status: response.status,
    body: (await response.json()) as Anthropic.Message,
    ignored: response.headers.get("x-modelyard-ignored"),
    sent: upstream.requests.at(-1)?.json() as JsonObject,
  };
}

const text = (words: string, more: object = {}) => ({ type: "text", text: words, ...more });
const MARK = { cache_control: { type: "ephemeral" } };
const IMAGE = { type: "image", source: { type: "base64", media_type: "image/png", data: "iVBORw0KGgo=" } };
const TOOL = { name: "look", description: "Looks", input_schema: { $schema: "x", type: "object" } };

/** Requests, what the server gets of them beside the model, and what is named as not honoured. */
const MAPPED: Readonly<Record<string, readonly [JsonObject, JsonObject, string | null]>> = {
  "instructions and turns": [
    {
      system: [text("x-anthropic-billing-header: v=1"), text("Be kind.", MARK), text("Be brief.")],
      messages: [
        { role: "user", content: [text("a"), text("b", MARK)] },
        { role: "assistant", content: [text("c"), text("d")] },
        { role: "system", content: "e" },
        { role: "user", content: "f" },
      ],
    },
    {
      messages: [
        { role: "system", content: "Be kind.\n\nBe brief." },
        { role: "user", content: "a\n\nb" },
        { role: "assistant", content: "cd" },
        { role: "system", content: "e" },
        { role: "user", content: "f" },
      ],
    },
    null,
  ],
  "tools, calls and results": [
    {
      tools: [TOOL, { type: "web_search_20250305", name: "web_search" }],
      tool_choice: { type: "any", disable_parallel_tool_use: true },
      messages: [
        { role: "user", content: "Look" },
        {
          role: "assistant",
          content: [
            { type: "tool_use", id: "a", name: "look", input: { at: 1 }, ...MARK },
            { type: "tool_use", id: "b", name: "look", input: {} },
          ],
        },
        {
          role: "user",
          content: [
            text("Well?"),
            { type: "tool_result", tool_use_id: "a", content: [text("seen"), IMAGE] },
            { type: "tool_result", tool_use_id: "b", content: "gone", is_error: true },
          ],
        },
      ],
    },
    {
      tools: [
        {
          type: "function",
          function: { name: "look", description: "Looks", parameters: { type: "object" } },
        },
      ],
      tool_choice: "required",
      parallel_tool_calls: false,
      messages: [
        { role: "user", content: "Look" },
        {
          role: "assistant",
          content: null,
          tool_calls: [
            { id: "a", type: "function", function: { name: "look", arguments: '{"at":1}' } },
            { id: "b", type: "function", function: { name: "look", arguments: "{}" } },
          ],
        },
        { role: "tool", tool_call_id: "a", content: "seen" },
        { role: "tool", tool_call_id: "b", content: "error: gone" },
        {
          role: "user",
          content: [{ type: "image_url", image_url: { url: "data:image/png;base64,iVBORw0KGgo=" } }],
        },
        { role: "user", content: "Well?" },
      ],
    },
    "tools[].web_search_20250305",
  ],
  "thinking and its history": [
    {
      thinking: { type: "enabled", budget_tokens: 8000 },
      messages: [
        { role: "user", content: "a" },
        { role: "assistant", content: [{ type: "thinking", thinking: "Hm.", signature: "" }, text("b")] },
        { role: "user", content: "c" },
        { role: "assistant", content: [{ type: "thinking", thinking: "So.", signature: "sig" }, text("d")] },
        { role: "user", content: "e" },
      ],
    },
    {
      reasoning_effort: "medium",
      messages: [
        { role: "user", content: "a" },
        { role: "assistant", reasoning_content: "Hm.", content: "b" },
        { role: "user", content: "c" },
        { role: "assistant", content: "d" },
        { role: "user", content: "e" },
      ],
    },
    "messages[].thinking",
  ],
  "other parameters": [
    {
      stop_sequences: ["x"],
      temperature: 0.5,
      top_k: 5,
      metadata: { user_id: "me" },
      service_tier: "standard_only",
      output_config: { effort: "max", format: { type: "json_schema", schema: { type: "object" } } },
      context_management: { edits: [] },
      mystery: 1,
    },
    {
      messages: [{ role: "user", content: "Hi" }],
      stop: ["x"],
      temperature: 0.5,
      safety_identifier: new Bun.CryptoHasher("sha256").update("me").digest("hex"),
      service_tier: "default",
      reasoning_effort: "xhigh",
      response_format: {
        type: "json_schema",
        json_schema: { name: "answer", schema: { type: "object" }, strict: true },
      },
    },
    "top_k,context_management,mystery",
  ],
  documents: [
    {
      messages: [
        {
          role: "user",
          content: [
            {
              type: "document",
              title: "A",
              source: { type: "base64", media_type: "application/pdf", data: "JVBERi0=" },
            },
            {
              type: "document",
              title: "B",
              source: { type: "text", media_type: "text/plain", data: "words" },
            },
            { type: "search_result", source: "https://a.b", title: "C", content: [text("found")] },
          ],
        },
      ],
    },
    {
      messages: [
        {
          role: "user",
          content: [
            { type: "file", file: { filename: "A", file_data: "data:application/pdf;base64,JVBERi0=" } },
            text("B\nwords"),
            text("C\nhttps://a.b\nfound"),
          ],
        },
      ],
    },
    null,
  ],
};

test.each(Object.entries(MAPPED))("%s reach it in its own form", async (_, [asked, expected, named]) => {
  const { status, sent, ignored } = await ask(asked);
  expect(status).toBe(200);
  expect(sent).toEqual({ model: "m", max_tokens: 50, ...expected });
  expect(ignored).toBe(named);
});

describe("what can't be done without", () => {
  test.each([
    ["a thread", { thread: { type: "create" } }],
    ["an MCP server", { mcp_servers: [{ type: "url", url: "https://a.b", name: "c" }] }],
    [
      "a file of another upstream",
      { messages: [{ role: "user", content: [{ type: "image", source: { type: "file", file_id: "f" } }] }] },
    ],
    [
      "a demanded tool that it can't run",
      {
        tools: [{ type: "web_search_20250305", name: "web_search" }],
        tool_choice: { type: "tool", name: "web_search" },
      },
    ],
  ])("%s is refused", async (_, asked) => {
    const before = upstream.requests.length;
    const { status, body } = await ask(asked);
    expect([status, body]).toMatchObject([400, { error: { type: "invalid_request_error" } }]);
    expect(upstream.requests.length).toBe(before);
  });
});

test("a tool's name that is longer than 64 characters is shortened on the way there, and whole in the answer", async () => {
  const { respond } = upstream;
  const names = ["a", "b"].map((end) => `mcp__server__${"x".repeat(60)}${end}`);
  let called = "";
  upstream.respond = (exchange) => {
    const { stream, tools } = exchange.json() as {
      stream?: boolean;
      tools: { function: { name: string } }[];
    };
    called = tools[1]?.function.name ?? "";
    const calls = [{ index: 0, id: "c1", type: "function", function: { name: called, arguments: "{}" } }];
    const said = { role: "assistant", content: null, tool_calls: calls };
    const choice = { index: 0, finish_reason: "tool_calls" };
    if (!stream) {
      return exchange.send(jsonAnswer({ ...openaiCompletion(""), choices: [{ ...choice, message: said }] }));
    }
    const chunk = { id: "c", object: "chat.completion.chunk", choices: [{ ...choice, delta: said }] };
    return exchange.send(sseAnswer([`data: ${JSON.stringify(chunk)}\n\n`, "data: [DONE]\n\n"]));
  };
  try {
    const client = new Anthropic({ baseURL: gateway.url, apiKey: gateway.key, maxRetries: 0 });
    const tool = (name: string) => ({ name, input_schema: { type: "object" as const } });
    const use = { type: "tool_use" as const, id: "c0", name: names[1] ?? "", input: {} };
    const asked = {
      model: "plain/m",
      max_tokens: 50,
      tools: names.map(tool),
      tool_choice: { type: "tool" as const, name: use.name },
      messages: [
        { role: "user" as const, content: "Hi" },
        { role: "assistant" as const, content: [use] },
        {
          role: "user" as const,
          content: [{ type: "tool_result" as const, tool_use_id: "c0", content: "1" }],
        },
      ],
    };
    const answers = [await client.messages.create(asked), await client.messages.stream(asked).finalMessage()];
    for (const { content } of answers) expect(content).toMatchObject([{ type: "tool_use", name: names[1] }]);
    const sent = upstream.requests.at(-1)?.json() as JsonObject;
    expect(sent).toMatchObject({
      tool_choice: { function: { name: called } },
      messages: [{}, { tool_calls: [{ function: { name: called } }] }, {}],
    });
    const told = (sent["tools"] as { function: { name: string } }[]).map((each) => each.function.name);
    expect(new Set(told).size).toBe(2);
    for (const name of told) expect(name).toMatch(/^mcp__server__x+_[a-z0-9]+$/);
    for (const name of told) expect(name.length).toBeLessThanOrEqual(64);
  } finally {
    upstream.respond = respond;
  }
});

test.each([
  [{ type: "create" }, { error_code: "thread_unsupported_request", unsupported: ["thread"] }],
  [{ type: "continue", previous_message_id: "msg_1" }, { error_code: "thread_not_found" }],
])(
  "the thread %j is refused in the words after which the official client goes on",
  async (thread, details) => {
    const { status, body } = await ask({ thread });
    expect(status).toBe(400);
    expect((body as unknown as { error: JsonObject }).error["details"]).toEqual(details);
  },
);

test("the official client's loop of tools, which threads by default, goes on with whole conversations", async () => {
  const { respond } = upstream;
  const call = { id: "c1", type: "function", function: { name: "look", arguments: "{}" } };
  const calling = {
    ...openaiCompletion(""),
    choices: [
      {
        index: 0,
        message: { role: "assistant", content: null, tool_calls: [call] },
        finish_reason: "tool_calls",
      },
    ],
  };
  upstream.respond = (exchange) => {
    const { messages } = exchange.json() as { messages: { role: string }[] };
    const isAnswered = messages.some(({ role }) => role === "tool");
    return exchange.send(jsonAnswer(isAnswered ? openaiCompletion("It is there.") : calling));
  };
  try {
    const client = new Anthropic({ baseURL: gateway.url, apiKey: gateway.key, maxRetries: 0 });
    const runner = client.beta.messages.toolRunner({
      model: "plain/m",
      max_tokens: 50,
      messages: [{ role: "user", content: "Where?" }],
      tools: [
        {
          type: "custom",
          name: "look",
          input_schema: { type: "object" },
          run: () => "there",
          parse: (input) => input,
        },
      ],
    });
    const { content } = await runner.runUntilDone();
    expect(content).toMatchObject([{ type: "text", text: "It is there." }]);
    const sent = upstream.requests.at(-1)?.json() as { messages: object[] } | undefined;
    expect(sent?.messages).toMatchObject([{ role: "user" }, { role: "assistant" }, { role: "tool" }]);
  } finally {
    upstream.respond = respond;
  }
});

describe("what a model refuses is left out, and not sent again:", () => {
  const SYSTEM = "System message must be at the beginning.";
  const cases: readonly (readonly [
    string,
    JsonObject,
    (body: JsonObject) => string | undefined,
    JsonObject,
  ])[] = [
    [
      "an effort",
      { model: "plain/n", thinking: { type: "enabled", budget_tokens: 1024 } },
      (body) =>
        body["reasoning_effort"] === undefined
          ? undefined
          : "Unsupported parameter: 'reasoning_effort' is not supported with this model.",
      { model: "n", max_tokens: 50, messages: [{ role: "user", content: "Hi" }] },
    ],
    [
      "the older name of the bound",
      { model: "plain/o" },
      (body) =>
        body["max_tokens"] === undefined
          ? undefined
          : "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
      { model: "o", max_completion_tokens: 50, messages: [{ role: "user", content: "Hi" }] },
    ],
    [
      "instructions within the conversation",
      {
        model: "plain/p",
        messages: [
          { role: "user", content: "Hi" },
          { role: "system", content: "Be kind." },
        ],
      },
      ({ messages }) => ((messages as JsonObject[])[1]?.["role"] === "system" ? SYSTEM : undefined),
      {
        model: "p",
        max_tokens: 50,
        messages: [
          { role: "user", content: "Hi" },
          { role: "user", content: "Be kind." },
        ],
      },
    ],
    [
      "an answer that is longer than the model gives",
      { model: "plain/q", max_tokens: 32_000 },
      (body) =>
        Number(body["max_tokens"]) <= 16_384
          ? undefined
          : "max_tokens is too large: 32000. This model supports at most 16384 completion tokens, whereas you provided 32000.",
      { model: "q", max_tokens: 16_384, messages: [{ role: "user", content: "Hi" }] },
    ],
  ];

  test.each(cases)("%s", async (_, asked, refusal, expected) => {
    refuse = refusal;
    const before = upstream.requests.length;
    const first = await ask(asked);
    expect([first.status, first.sent]).toEqual([200, expected]);
    expect(upstream.requests.length).toBe(before + 2);
    const second = await ask(asked);
    expect([second.status, second.sent, second.ignored]).toEqual([200, expected, first.ignored]);
    expect(upstream.requests.length).toBe(before + 3);
  });
});

test.each(Object.entries(BOUNDS))(
  "the bound of an answer is understood as %s says it",
  async (model, [said, bound]) => {
    refuse = (body) => (Number(body["max_tokens"]) > bound ? said : undefined);
    const { status, sent, ignored } = await ask({ model: `plain/${model}`, max_tokens: 32_000 });
    expect([status, sent["max_tokens"], ignored]).toEqual([200, bound, "max_tokens"]);
  },
);

test("an answer for which the conversation leaves less room is asked for as long as that", async () => {
  refuse = (body) =>
    Number(body["max_tokens"]) <= 6192
      ? undefined
      : "This model's maximum context length is 8192 tokens. However, you requested 34000 tokens (2000 in the messages, 32000 in the completion).";
  const { status, sent, ignored } = await ask({ model: "plain/r", max_tokens: 32_000 });
  expect([status, sent["max_tokens"], ignored]).toEqual([200, 6192, "max_tokens"]);
  refuse = () => undefined;
  expect((await ask({ model: "plain/r", max_tokens: 32_000 })).sent["max_tokens"]).toBe(32_000);
});

test("a conversation that leaves no room is too long", async () => {
  refuse = () =>
    "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens. Please reduce the length of the messages.";
  const { status, body } = await ask({});
  expect([status, body]).toMatchObject([
    400,
    { error: { message: expect.stringMatching(/^prompt is too long/) } },
  ]);
});

test("any other refusal is the client's to read", async () => {
  refuse = () => "messages are wrong";
  const { status, body } = await ask({});
  expect([status, body]).toMatchObject([400, { error: { message: "messages are wrong" } }]);
});
