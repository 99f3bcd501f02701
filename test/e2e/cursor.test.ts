import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import OpenAI, { BadRequestError } from "openai";
import type { ChatCompletion, ChatCompletionChunk, ChatCompletionCreateParams } from "openai/resources/chat";
import type { JsonObject } from "modelyard/plugin";
import type { Door } from "../support/openai-door.ts";
import { answers, chunk, DONE, openaiAt, plain, startDoor, streams } from "../support/openai-door.ts";
import { rejection } from "../support/rejection.ts";

/**
 * A Responses body at the address of chat completions, as Cursor sends it, read with the official client for chat
 * completions. https://forum.cursor.com/t/153019
 * @module
 */
let door: Door;
let client: OpenAI;

beforeAll(async () => {
  door = await startDoor(openaiAt);
  client = new OpenAI({ baseURL: door.gateway.baseURL, apiKey: door.gateway.key, maxRetries: 0 });
});
afterAll(() => door[Symbol.asyncDispose]());

const GRAMMAR = { type: "grammar", syntax: "lark", definition: 'start: "*** Begin Patch" /.+/' };
const PARAMETERS = { type: "object", properties: { path: { type: "string" } }, required: ["path"] };

const BODY = {
  model: "m",
  user: "u-1",
  input: [
    { role: "system", content: "Be brief." },
    { role: "user", content: [{ type: "input_text", text: "Patch it." }] },
    { type: "function_call", call_id: "call_0", name: "read", arguments: '{"path":"a"}' },
    { type: "function_call_output", call_id: "call_0", output: "text of a" },
  ],
  tools: [
    { type: "function", name: "read", description: "Reads", parameters: PARAMETERS, strict: false },
    { type: "custom", name: "apply_patch", description: "Patches", format: GRAMMAR },
  ],
  tool_choice: "auto",
  store: false,
  include: ["reasoning.encrypted_content"],
  reasoning: { effort: "high" },
  text: { verbosity: "low" },
};

const PATCH = '*** Begin Patch\n"a" → \\b';

function ask(more: object): Promise<ChatCompletion> {
  return client.chat.completions.create({
    ...BODY,
    ...more,
  } as unknown as ChatCompletionCreateParams) as Promise<ChatCompletion>;
}

async function streamed(more: object = {}): Promise<ChatCompletionChunk[]> {
  const stream = await ask({ ...more, stream: true });
  return Array.fromAsync(stream as unknown as AsyncIterable<ChatCompletionChunk>);
}

const USAGE = { prompt_tokens: 2, completion_tokens: 3, total_tokens: 5 };

function call(piece: JsonObject, head: JsonObject = {}): string {
  return chunk({ tool_calls: [{ index: 0, ...head, function: piece }] });
}

/** A call of the patch tool, its arguments in pieces of one letter. */
const CALLS = [
  call({ name: "apply_patch", arguments: "" }, { id: "call_1", type: "function" }),
  ...Array.from(JSON.stringify({ input: PATCH })).map((letter) => call({ arguments: letter })),
  chunk({}, "tool_calls"),
  `data: ${JSON.stringify({ id: "c1", object: "chat.completion.chunk", created: 1, model: "m", choices: [], usage: USAGE })}\n\n`,
  DONE,
];

describe("a Responses body at /v1/chat/completions", () => {
  test("reaches an upstream as a conversation", async () => {
    door.upstream.respond = answers(plain({ role: "assistant", content: "Hello" }));
    const answer = await ask({});
    expect(answer).toMatchObject({ object: "chat.completion", choices: [{ message: { content: "Hello" } }] });
    const sent = door.upstream.requests.at(-1);
    expect(sent?.path).toEndWith("/chat/completions");
    expect(sent?.json()).toMatchObject({
      model: "m",
      user: "u-1",
      messages: [
        { role: "system", content: "Be brief." },
        { role: "user", content: "Patch it." },
        { role: "assistant", tool_calls: [{ id: "call_0", type: "function", function: { name: "read" } }] },
        { role: "tool", tool_call_id: "call_0", content: "text of a" },
      ],
      tools: [
        { type: "function", function: { name: "read", parameters: PARAMETERS, strict: false } },
        { type: "function", function: { name: "apply_patch" } },
      ],
      tool_choice: "auto",
      reasoning_effort: "high",
      verbosity: "low",
    });
  });

  test("is answered in chunks, with usage if it is asked for", async () => {
    door.upstream.respond = streams([
      chunk({ content: "Hel" }),
      chunk({ content: "lo" }),
      chunk({}, "stop"),
      CALLS.at(-2) ?? "",
      DONE,
    ]);
    const silent = await streamed();
    expect(silent.map(({ choices }) => choices[0]?.delta.content ?? "").join("")).toBe("Hello");
    expect(silent.every(({ object, usage }) => object === "chat.completion.chunk" && !usage)).toBeTrue();
    const told = await streamed({ stream_options: { include_usage: true } });
    expect(told.at(-1)).toMatchObject({ choices: [], usage: USAGE });
  });

  test("gets a call of a custom tool as one, streamed", async () => {
    door.upstream.respond = streams(CALLS);
    const calls = (await streamed()).flatMap(
      ({ choices }) => choices[0]?.delta.tool_calls ?? [],
    ) as unknown as {
      id?: string;
      type?: string;
      custom: { name?: string; input: string };
    }[];
    expect(calls[0]).toMatchObject({ id: "call_1", type: "custom", custom: { name: "apply_patch" } });
    expect(calls.map(({ custom }) => custom.input).join("")).toBe(PATCH);
    expect(
      calls.slice(1).some(({ id, custom: { name } }) => id !== undefined || name !== undefined),
    ).toBeFalse();
  });

  test("gets one plain", async () => {
    door.upstream.respond = streams(CALLS);
    const { choices } = await ask({});
    expect(choices[0]).toMatchObject({
      finish_reason: "tool_calls",
      message: {
        tool_calls: [{ id: "call_1", type: "custom", custom: { name: "apply_patch", input: PATCH } }],
      },
    });
  });

  test("gets a call of a function as it is", async () => {
    const said = { id: "call_1", type: "function", function: { name: "read", arguments: '{"path":"b"}' } };
    door.upstream.respond = answers(
      plain({ role: "assistant", tool_calls: [said] }, { finish_reason: "tool_calls" }),
    );
    expect((await ask({})).choices[0]?.message.tool_calls).toEqual([said] as never);
  });

  test("gets a call by a name of its own that is too long for chats", async () => {
    const name = `mcp__server__${"x".repeat(80)}`;
    let called = "";
    door.upstream.respond = (exchange) => {
      const { tools } = exchange.json() as { tools: { function: { name: string } }[] };
      called = tools[0]?.function.name ?? "";
      const said = { id: "call_1", type: "function", function: { name: called, arguments: "{}" } };
      const message = plain({ role: "assistant", tool_calls: [said] }, { finish_reason: "tool_calls" });
      return answers(message)(exchange);
    };
    const tools = [{ type: "function", name, parameters: PARAMETERS }];
    const { choices } = await ask({ tools });
    expect(called).toMatch(/^mcp__server__x+_[a-z0-9]+$/);
    expect(called.length).toBeLessThanOrEqual(64);
    expect(choices[0]?.message.tool_calls).toMatchObject([{ function: { name } }]);
    const history = [...BODY.input, { type: "function_call", call_id: "call_1", name, arguments: "{}" }];
    await ask({
      tools,
      input: [...history, { type: "function_call_output", call_id: "call_1", output: "1" }],
    });
    const sent = door.upstream.requests.at(-1)?.json() as { messages: object[] } | undefined;
    expect(sent?.messages.at(-2)).toMatchObject({ tool_calls: [{ function: { name: called } }] });
    const response = await client.responses.create({ ...BODY, tools } as never);
    expect(response.output).toMatchObject([{ type: "function_call", name }]);
  });

  test("with a call that breaks off ends with an error", async () => {
    door.upstream.respond = streams(CALLS.slice(0, 9));
    expect(await streamed().catch(({ code }: { code: string }) => code)).toBe("upstream_truncated");
    expect(await ask({}).catch(({ status }: { status: number }) => status)).toBe(502);
  });

  test("that is wrong is a 400 that names the member", async () => {
    const error = await rejection(ask({ input: 7 }), BadRequestError);
    expect([error.code, error.param]).toEqual(["invalid_value", "input"]);
    const earlier = await rejection(ask({ previous_response_id: "resp_1" }), BadRequestError);
    expect(earlier.param).toBe("previous_response_id");
  });
});
