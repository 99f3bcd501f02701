import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test";
import OpenAI from "openai";
import type { ChatCompletionMessageParam } from "openai/resources/chat/completions";
import { recorded } from "../../../test/support/anthropic-upstream.ts";
import { startFaultUpstream } from "../../../test/support/fault-upstream.ts";
import type { Exchange, FaultUpstream } from "../../../test/support/fault-upstream.ts";
import { startGateway } from "../../../test/support/gateway.ts";
import type { RunningGateway } from "../../../test/support/gateway.ts";

/**
 * Two turns of tool use with the official client, against a server that speaks from recordings: what the model
 * signed in the first turn must come back byte by byte in the second.
 * @module
 */
let upstream: FaultUpstream;
let gateway: RunningGateway;
let client: OpenAI;

beforeAll(async () => {
  upstream = await startFaultUpstream();
  gateway = await startGateway(
    `upstreams:\n  claude:\n    plugin: anthropic\n    options:\n      { api_key: sk-ant-test, base_url: "${upstream.url}", models: [claude-sonnet-4-5] }\n`,
  );
  client = new OpenAI({ baseURL: gateway.baseURL, apiKey: gateway.key, maxRetries: 0 });
});

let asked: Exchange[];

function play(exchange: Exchange, name: string): void {
  exchange.head(200, { "content-type": name.endsWith("sse") ? "text/event-stream" : "application/json" });
  exchange.chunk(recorded(name));
  exchange.end();
}

beforeEach(() => {
  asked = [];
  upstream.respond = (exchange) => {
    asked.push(exchange);
    const { stream } = exchange.json() as { stream?: boolean };
    if (asked.length > 1) play(exchange, "text.sse");
    else play(exchange, stream ? "tools.sse" : "tools.json");
  };
});

afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await upstream[Symbol.asyncDispose]();
});

const QUESTION: ChatCompletionMessageParam = { role: "user", content: "How is the weather there?" };
const REQUEST = {
  model: "claude-sonnet-4-5",
  reasoning_effort: "high",
  tools: [{ type: "function", function: { name: "get_weather", parameters: { type: "object" } } }],
} as const satisfies Partial<OpenAI.ChatCompletionCreateParams>;

/** The content of the recorded answer, as it must come back. */
const ANSWER = (
  JSON.parse(new TextDecoder().decode(recorded("tools.json"))) as { content: object[] }
).content.map((block) => Object.fromEntries(Object.entries(block).filter(([name]) => name !== "caller")));

function results(message: OpenAI.ChatCompletionMessage): ChatCompletionMessageParam[] {
  return (message.tool_calls ?? []).map(({ id }) => ({ role: "tool", tool_call_id: id, content: "sunny" }));
}

function expectSecondTurn(): void {
  const { messages } = asked[1]!.json() as { messages: unknown };
  expect(messages).toEqual([
    { role: "user", content: [{ type: "text", text: "How is the weather there?" }] },
    { role: "assistant", content: ANSWER },
    {
      role: "user",
      content: [
        { type: "tool_result", tool_use_id: "toolu_01A09q90qw90lq917835lq9", content: "sunny" },
        { type: "tool_result", tool_use_id: "toolu_02B", content: "sunny" },
      ],
    },
  ]);
}

test("a plain answer that is given back as it came returns every signature", async () => {
  const first = await client.chat.completions.create({ ...REQUEST, messages: [QUESTION] });
  const message = first.choices[0]!.message;
  expect(message).toMatchObject({
    content: "Let me look that up.",
    reasoning_content: "The user wants two cities. I'll ask for both.Both at once.",
  } as object);
  const second = client.chat.completions.create({
    ...REQUEST,
    messages: [QUESTION, message, ...results(message)],
    stream: true,
  });
  const said = await Array.fromAsync(await second);
  expect(said.map(({ choices }) => choices[0]?.delta.content ?? "").join("")).toBe("Zoë sagt: „你好“ 👋🏽");
  expectSecondTurn();
});

type Details = { readonly reasoning_details?: readonly object[] };

/** What a client makes of a stream that puts together what it doesn't know: lists grow, texts too. */
async function collected(): Promise<OpenAI.ChatCompletionMessage> {
  const stream = client.chat.completions.stream({ ...REQUEST, messages: [QUESTION] });
  const details: object[] = [];
  for await (const { choices } of stream) {
    details.push(...((choices[0]!.delta as Details).reasoning_details ?? []));
  }
  const message = (await stream.finalChatCompletion()).choices[0]!.message;
  return Object.assign({}, message, { reasoning_details: details });
}

test("a streamed answer does so, too, from the pieces of its details", async () => {
  const message = await collected();
  expect(message.tool_calls).toMatchObject([
    { id: "toolu_01A09q90qw90lq917835lq9", function: { arguments: `{"city": "Łódź", "unit": "celsius"}` } },
    { id: "toolu_02B", function: { name: "list_cities", arguments: "{}" } },
  ]);
  const messages = [QUESTION, message, ...results(message)];
  await client.chat.completions.create({ ...REQUEST, messages, stream: true });
  expectSecondTurn();
});

test("an upstream that streams though it was asked for a plain answer is understood", async () => {
  upstream.respond = (exchange) => play(exchange, "text.sse");
  const answer = await client.chat.completions.create({ model: "claude-sonnet-4-5", messages: [QUESTION] });
  expect(answer).toMatchObject({ id: "msg_01Text", model: "claude-sonnet-4-5-20250929" });
});

test("an upstream's overload before the first word is a 503, and within the answer an error", async () => {
  upstream.respond = (exchange) => {
    exchange.head(529, { "content-type": "application/json" });
    exchange.chunk(`{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`);
    exchange.end();
  };
  const request = { model: "claude-sonnet-4-5", messages: [QUESTION], stream: true as const };
  const early: unknown = await client.chat.completions.create(request).catch((error: unknown) => error);
  expect(early).toMatchObject({ status: 503 });
  upstream.respond = (exchange) => play(exchange, "overloaded.sse");
  const stream = await client.chat.completions.create(request);
  const late: unknown = await Array.fromAsync(stream).catch((error: unknown) => error);
  expect(late).toBeInstanceOf(OpenAI.APIError);
  expect(String(late)).toContain("Overloaded");
});
