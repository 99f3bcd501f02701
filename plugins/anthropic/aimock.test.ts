import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { Anthropic } from "@anthropic-ai/sdk";
import { LLMock } from "@copilotkit/aimock";
import OpenAI from "openai";
import { startGateway } from "../../test/support/gateway.ts";
import type { RunningGateway } from "../../test/support/gateway.ts";

/**
 * What a client of the gateway sees, beside what Anthropic's own client sees when it asks the same server, one
 * that we did not write.
 * @module
 */
let mock: LLMock;
let gateway: RunningGateway;
let openai: OpenAI;
let anthropic: Anthropic;

// The mock knows thinking by its budget.
const MODEL = "claude-haiku-4-5";

const SETTINGS = () =>
  `retry: { attempts: 1 }\nupstreams:\n  claude:\n    plugin: anthropic\n    options: { api_key: sk-ant-test, base_url: "${mock.url}", models: [${MODEL}] }\n`;

beforeAll(async () => {
  mock = await LLMock.create({ host: "127.0.0.1", port: 0, chunkSize: 7, strict: true, logLevel: "silent" });
  gateway = await startGateway(SETTINGS());
  openai = new OpenAI({ baseURL: gateway.baseURL, apiKey: gateway.key, maxRetries: 0 });
  anthropic = new Anthropic({ baseURL: mock.url, apiKey: "sk-ant-test", maxRetries: 0 });
});

beforeEach(() => {
  mock.reset();
});

afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await mock.stop();
});

interface Detail {
  readonly index: number;
  readonly signature?: string;
  readonly text?: string;
  readonly data?: string;
}

type Seen = OpenAI.ChatCompletion.Choice["message"] & {
  readonly reasoning_content?: string;
  readonly reasoning_details?: readonly Detail[];
};

interface Comparable {
  readonly id: string;
  readonly model: string;
  readonly text: string;
  readonly calls: readonly unknown[];
  readonly thoughts: readonly unknown[];
  readonly reason: string;
  readonly usage: readonly (number | undefined)[];
}

/** An answer in words that both clients share. */
function ofOpenai(answer: OpenAI.ChatCompletion): Comparable {
  const [choice] = answer.choices as [OpenAI.ChatCompletion.Choice & { native_finish_reason?: string }];
  const message = choice.message as Seen;
  return {
    id: answer.id,
    model: answer.model,
    text: message.content ?? "",
    calls: (message.tool_calls ?? []).map((call) =>
      call.type === "function"
        ? { id: call.id, name: call.function.name, input: JSON.parse(call.function.arguments) as unknown }
        : call,
    ),
    thoughts: (message.reasoning_details ?? []).map(({ text, signature, data }) => data ?? [text, signature]),
    reason: choice.native_finish_reason ?? "",
    usage: [answer.usage?.prompt_tokens, answer.usage?.completion_tokens],
  };
}

function ofAnthropic(message: Anthropic.Message): Comparable {
  const { usage, content } = message;
  return {
    id: message.id,
    model: message.model,
    text: content.map((block) => (block.type === "text" ? block.text : "")).join(""),
    calls: content.flatMap((block) =>
      block.type === "tool_use" ? [{ id: block.id, name: block.name, input: block.input }] : [],
    ),
    thoughts: content.flatMap((block): unknown[] => {
      if (block.type === "redacted_thinking") return [block.data];
      return block.type === "thinking" ? [[block.thinking, block.signature]] : [];
    }),
    reason: message.stop_reason ?? "",
    usage: [
      usage.input_tokens + (usage.cache_read_input_tokens ?? 0) + (usage.cache_creation_input_tokens ?? 0),
      usage.output_tokens,
    ],
  };
}

/** A stream put together as the plain answer would be. */
async function together(stream: AsyncIterable<OpenAI.ChatCompletionChunk>): Promise<OpenAI.ChatCompletion> {
  const chunks = await Array.fromAsync(stream);
  const deltas = chunks.map(({ choices }) => choices[0]?.delta as Seen | undefined);
  const calls = new Map<
    number,
    { id: string; type: string; function: { name: string; arguments: string } }
  >();
  for (const piece of chunks.flatMap(({ choices }) => choices[0]?.delta.tool_calls ?? [])) {
    const call = calls.get(piece.index);
    if (call) call.function.arguments += piece.function?.arguments ?? "";
    else calls.set(piece.index, structuredClone(piece) as never);
  }
  const details = new Map<number, Detail>();
  for (const piece of deltas.flatMap((delta) => delta?.reasoning_details ?? [])) {
    const before = details.get(piece.index);
    const text = (before?.text ?? "") + (piece.text ?? "");
    details.set(piece.index, { ...before, ...piece, ...(text && { text }) });
  }
  const last = chunks.find(({ choices }) => choices[0]?.finish_reason)?.choices[0];
  return {
    ...chunks[0],
    usage: chunks.at(-1)?.usage,
    choices: [
      {
        ...last,
        message: {
          content: deltas.map((delta) => delta?.content ?? "").join(""),
          tool_calls: [...calls.values()],
          reasoning_details: [...details.values()],
        },
      },
    ],
  } as never;
}

const TOOLS = [{ name: "weather", description: "the weather", input_schema: { type: "object" as const } }];
const OPENAI_TOOLS = TOOLS.map(({ name, description, input_schema }) => ({
  type: "function" as const,
  function: { name, description, parameters: input_schema },
}));

const ANSWERS = {
  "a text": { content: "Grüß Gott, „你好“ 👋🏽, and so on.", usage: { input_tokens: 12, output_tokens: 34 } },
  "a text that was cut": { content: "Once upon", finishReason: "length" },
  thoughts: {
    content: "42.",
    reasoning: "Let me think about that.",
    reasoningSignature: "EqQBCgIYAhIM1gbcDa9GJwZA2b3hGgx+/==",
    redactedThinking: ["EmwKAhgBEgy3va3pzix"],
  },
  "parallel calls": {
    toolCalls: [
      { id: "toolu_1", name: "weather", arguments: `{"city":"Łódź","days":[1,2]}` },
      { id: "toolu_2", name: "weather", arguments: "{}" },
    ],
  },
  "thoughts, a text and a call": {
    content: "I'll look.",
    reasoning: "A tool is needed.",
    reasoningSignature: "ErUBCkYIBxgCIkC7==",
    toolCalls: [{ id: "toolu_3", name: "weather", arguments: `{"city":"Lisbon"}` }],
  },
} as const;

describe.each(Object.entries(ANSWERS))("%s", (_, answer) => {
  beforeEach(() => {
    mock.on({ userMessage: "Well?" }, { id: "msg_fixed", ...structuredClone(answer) } as never);
  });
  const direct = {
    model: MODEL,
    max_tokens: 100,
    messages: [{ role: "user" as const, content: "Well?" }],
    tools: TOOLS,
  };
  const through = { model: MODEL, messages: direct.messages, tools: OPENAI_TOOLS };

  test("is the same through the gateway, plain", async () => {
    const expected = ofAnthropic(await anthropic.messages.create(direct));
    expect(ofOpenai(await openai.chat.completions.create(through))).toEqual(expected);
  });

  test("is the same through the gateway, streamed", async () => {
    const expected = ofAnthropic(await anthropic.messages.stream(direct).finalMessage());
    const options = { stream: true, stream_options: { include_usage: true } } as const;
    const stream = await openai.chat.completions.create({ ...through, ...options });
    expect(ofOpenai(await together(stream))).toEqual(expected);
  });
});

test("the mock's own check of thinking passes in the second turn of tool use, also where the client has forgotten the details", async () => {
  mock.on({ userMessage: "Well?", hasToolResult: false }, ANSWERS["thoughts, a text and a call"] as never);
  mock.on({ hasToolResult: true }, { content: "Sunny." });
  const request = { model: MODEL, tools: OPENAI_TOOLS, reasoning_effort: "high" } as const;
  const question = { role: "user", content: "Well?" } as const;
  const first = await openai.chat.completions.create({ ...request, messages: [question] });
  const message = first.choices[0]!.message;
  const result = { role: "tool", tool_call_id: "toolu_3", content: "sunny" } as const;
  const second = await openai.chat.completions.create({ ...request, messages: [question, message, result] });
  expect(second.choices[0]?.message.content).toBe("Sunny.");
  const forgetful = { role: "assistant", tool_calls: message.tool_calls! } as const;
  const third = await openai.chat.completions
    .create({ ...request, messages: [question, forgetful, result] })
    .withResponse();
  expect(third.data.choices[0]?.message.content).toBe("Sunny.");
  expect(third.response.headers.get("x-modelyard-ignored")).toBe("reasoning_effort");
  const thinking = { type: "enabled", budget_tokens: 1024 };
  const refused: unknown = await openai.chat.completions
    .create({ ...request, thinking, messages: [question, forgetful, result] } as typeof request & {
      messages: OpenAI.ChatCompletionMessageParam[];
    })
    .catch((error: unknown) => error);
  expect(refused).toMatchObject({ status: 400 });
});

test.each([
  [429, "rate_limit_error", 429],
  [529, "overloaded_error", 503],
  [500, "api_error", 502],
  [400, "invalid_request_error", 400],
])("the mock's %d (%s) reaches the client as %d in the same words", async (status, type, expected) => {
  await using fresh = await startGateway(SETTINGS());
  const openai = new OpenAI({ baseURL: fresh.baseURL, apiKey: fresh.key, maxRetries: 0 });
  mock.nextRequestError(status, { type, message: "Said by the mock." });
  const error: unknown = await openai.chat.completions
    .create({ model: MODEL, messages: [{ role: "user", content: "Well?" }] })
    .catch((reason: unknown) => reason);
  expect(error).toMatchObject({ status: expected });
  expect(String(error)).toContain("Said by the mock.");
});
