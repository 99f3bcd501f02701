import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import OpenAI, { BadRequestError } from "openai";
import type { ChatCompletionMessageParam } from "openai/resources/chat/completions";
import type { Exchange, FaultUpstream } from "../support/fault-upstream.ts";
import { startFaultUpstream } from "../support/fault-upstream.ts";
import type { RunningGateway } from "../support/gateway.ts";
import { foldChunks } from "../support/fold-chunks.ts";
import { startGateway } from "../support/gateway.ts";
import { rejection } from "../support/rejection.ts";

/**
 * An answer that a client gives back as history reaches the server as the server said it. The server is a strict one: it
 * refuses members that it doesn't know.
 * @module
 */
const SERVERS = 32;
let used = 0;
/** A server of which the gateway has learnt nothing yet. */
const newServer = (): string => `oa${used++}/m`;

let fault: FaultUpstream;
let gateway: RunningGateway;

beforeAll(async () => {
  fault = await startFaultUpstream();
  const server = `plugin: openai, options: { base_url: "${fault.url}/v1", models: [m]`;
  gateway = await startGateway(`
upstreams:
${Array.from({ length: SERVERS }, (_, index) => `  oa${index}: { ${server} } }`).join("\n")}
  strict: { ${server} } }
  two: { plugin: openai, options: { base_url: "${fault.url}/v1", models: [m, n] } }
  old: { ${server}, developer: system } }
  ge: { plugin: gemini, options: { api_key: key-2, base_url: "${fault.url}/v1beta", models: [m] } }
routes: [{ model: both, targets: [{ upstream: ge, model: m }, { upstream: strict, model: m }] }]
retry: { attempts: 2 }
health: { failures: 100000 }
`);
});
afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await fault[Symbol.asyncDispose]();
});

type Members = Record<string, unknown>;

interface Sent {
  readonly stream?: boolean;
  readonly messages: readonly Members[];
}

const TEXT_A = { type: "text", text: "a" };
const TEXT_B = { type: "text", text: "b" };
const CALL = { id: "c1", type: "function", function: { name: "f", arguments: "{}" } };
const RESULT: ChatCompletionMessageParam = { role: "tool", tool_call_id: "c1", content: "42" };

/** The server: knows these members of an assistant message, and answers with `message`. */
function serve(message: Members, pieces: readonly Members[], known: readonly string[]): void {
  fault.respond = (exchange) => {
    if (exchange.path.includes("generateContent")) return json(exchange, 503, { error: { message: "down" } });
    const { messages, stream } = exchange.json() as Sent;
    const unknown = unknownMember(messages, known);
    if (unknown) return json(exchange, 400, { error: { message: `property '${unknown}' is unsupported` } });
    if (!stream) return json(exchange, 200, completion(message));
    exchange.head(200, { "content-type": "text/event-stream" });
    for (const delta of [...pieces, undefined]) exchange.chunk(`data: ${JSON.stringify(chunk(delta))}\n\n`);
    exchange.chunk("data: [DONE]\n\n");
    exchange.end();
  };
}

function unknownMember(messages: readonly Members[], known: readonly string[]): string | undefined {
  const taken = ["role", "content", "tool_calls", ...known];
  for (const message of messages.filter(({ role }) => role === "assistant")) {
    const calls = (message["tool_calls"] ?? []) as Members[];
    const unknown =
      Object.keys(message).find((name) => !taken.includes(name)) ??
      calls.flatMap(Object.keys).find((name) => !["id", "type", "function", ...known].includes(name));
    if (unknown) return unknown;
  }
  return undefined;
}

function json(exchange: Exchange, status: number, body: object): void {
  exchange.head(status, { "content-type": "application/json" });
  exchange.chunk(JSON.stringify(body));
  exchange.end();
}

function completion(message: Members): object {
  const reason = message["tool_calls"] ? "tool_calls" : "stop";
  return {
    id: "1",
    object: "chat.completion",
    created: 1,
    model: "m",
    choices: [{ index: 0, message, finish_reason: reason }],
  };
}

function chunk(delta: Members | undefined): object {
  const choice = delta
    ? { index: 0, delta, finish_reason: null }
    : { index: 0, delta: {}, finish_reason: "stop" };
  return { id: "1", object: "chat.completion.chunk", created: 1, model: "m", choices: [choice] };
}

function client(): OpenAI {
  return new OpenAI({ baseURL: gateway.baseURL, apiKey: gateway.key, maxRetries: 0 });
}

const QUESTION: ChatCompletionMessageParam = { role: "user", content: "q" };

/** The assistant message that the server is sent when the client gives back what it got. */
async function givenBack(stream: boolean, model = newServer()): Promise<Members> {
  const request = { model, messages: [QUESTION] };
  const answer = stream
    ? foldChunks(await Array.fromAsync(await client().chat.completions.create({ ...request, stream })))
    : await client().chat.completions.create(request);
  return sentFor([QUESTION, messageOf(answer), RESULT], model);
}

/** What a client keeps of an answer, plain or put together from chunks, whose calls have an index. */
function messageOf(answer: object): ChatCompletionMessageParam {
  const [choice] = (answer as { choices: { message?: Members; delta?: Members }[] }).choices;
  const message = choice?.message ?? choice?.delta ?? {};
  const calls = message["tool_calls"] as Members[] | undefined;
  const kept = calls && { tool_calls: calls.map((call) => ({ ...call, index: undefined })) };
  return { ...message, ...kept } as unknown as ChatCompletionMessageParam;
}

async function sentFor(messages: ChatCompletionMessageParam[], model = newServer()): Promise<Members> {
  await client().chat.completions.create({ model, messages });
  const sent = fault.requests.at(-1)?.json() as Sent;
  return sent.messages.find(({ role }) => role === "assistant") ?? {};
}

describe("a plain answer", () => {
  test.each([
    ["reasoning, by Groq's name", { content: null, reasoning: "I look.", tool_calls: [CALL] }, ["reasoning"]],
    [
      "reasoning, by DeepSeek's",
      { content: "", reasoning_content: "hm", tool_calls: [CALL] },
      ["reasoning_content"],
    ],
    ["empty reasoning", { content: "", reasoning_content: "", tool_calls: [CALL] }, ["reasoning_content"]],
    ["an empty text beside calls", { content: "", tool_calls: [CALL] }, []],
    ["no text beside calls", { content: null, tool_calls: [CALL] }, []],
    ["no refusal that nobody said", { content: "a" }, []],
    ["members of a call", { content: null, tool_calls: [{ ...CALL, signature: "sig" }] }, ["signature"]],
    [
      "a server's own extra_content",
      { content: null, tool_calls: [{ ...CALL, extra_content: { google: { thought_signature: "s" } } }] },
      ["extra_content"],
    ],
    [
      "Mistral's thinking",
      {
        content: [
          { type: "thinking", thinking: [{ type: "text", text: "The" }] },
          { type: "text", text: "y" },
        ],
      },
      [],
    ],
    ["a list of texts", { content: [TEXT_A, TEXT_B] }, []],
    [
      "thinking of several texts and with members of its own",
      { content: [{ type: "thinking", thinking: [TEXT_A, TEXT_B], closed: true }, TEXT_A] },
      [],
    ],
    ["thinking between texts", { content: [TEXT_A, { type: "thinking", thinking: [TEXT_B] }, TEXT_B] }, []],
    [
      "a content list with references",
      {
        content: [
          { type: "text", text: "a" },
          { type: "reference", reference_ids: [1] },
          { type: "text", text: "b" },
        ],
      },
      [],
    ],
    [
      "thinking, references and text",
      {
        content: [
          { type: "thinking", thinking: [{ type: "text", text: "The" }] },
          { type: "text", text: "a" },
          { type: "reference", reference_ids: [1] },
        ],
      },
      [],
    ],
  ] as [string, Members, string[]][])("with %s is given back as it was said", async (_, said, known) => {
    serve({ role: "assistant", ...said }, [], known);
    expect(await givenBack(false)).toEqual({ role: "assistant", ...said });
  });
});

describe("a streamed answer", () => {
  const call = { index: 0, ...CALL };
  test.each([
    [
      "Groq's reasoning",
      [{ reasoning: "I " }, { reasoning: "look." }, { tool_calls: [call] }],
      { reasoning: "I look.", tool_calls: [CALL] },
      ["reasoning"],
    ],
    [
      "empty reasoning beside calls",
      [{ role: "assistant", content: null, reasoning_content: "" }, { tool_calls: [call] }],
      { reasoning_content: "", tool_calls: [CALL] },
      ["reasoning_content"],
    ],
    [
      "members of a call",
      [{ tool_calls: [{ ...call, signature: "sig" }] }],
      { tool_calls: [{ ...CALL, signature: "sig" }] },
      ["signature"],
    ],
    [
      "Mistral's thinking",
      [
        { content: [{ type: "thinking", thinking: [{ type: "text", text: "The" }] }] },
        {
          content: [
            { type: "thinking", thinking: [{ type: "text", text: " sum" }] },
            { type: "text", text: "y" },
          ],
        },
        { content: "es" },
      ],
      {
        content: [
          { type: "thinking", thinking: [{ type: "text", text: "The sum" }] },
          { type: "text", text: "yes" },
        ],
      },
      [],
    ],
  ] as [string, Members[], Members, string[]][])(
    "with %s is given back as it was said",
    async (_, pieces, said, known) => {
      serve({ role: "assistant", content: "ok" }, pieces, known);
      const sent = await givenBack(true);
      for (const [name, value] of Object.entries(said)) expect([name, sent[name]]).toEqual([name, value]);
    },
  );
});

test("thinking reaches the client before the text that follows it", async () => {
  const thinking = { type: "thinking", thinking: [{ type: "text", text: "hm" }] };
  serve({}, [{ content: [thinking, { type: "text", text: "yes" }] }], []);
  const deltas: unknown[] = [];
  const stream = await client().chat.completions.create({
    model: newServer(),
    stream: true,
    messages: [QUESTION],
  });
  for await (const { choices } of stream) deltas.push(choices[0]?.delta);
  expect(deltas).toMatchObject([{ reasoning_content: "hm" }, { content: "yes" }, {}]);
});

describe("a history that another server's answers are in", () => {
  const FOREIGN = {
    role: "assistant",
    content: null,
    reasoning_content: "thought",
    reasoning_details: [{ type: "reasoning.text", text: "thought", signature: "s", index: 0 }],
    tool_calls: [{ ...CALL, extra_content: { google: { thought_signature: "s" } } }],
  } as unknown as ChatCompletionMessageParam;

  test("is taken by a strict server without the members that it refuses, which are named", async () => {
    serve({ role: "assistant", content: "ok" }, [], []);
    const { data, response } = await client()
      .chat.completions.create({ model: "both", messages: [QUESTION, FOREIGN, RESULT] })
      .withResponse();
    expect(data.choices[0]?.message.content).toBe("ok");
    const ignored = response.headers.get("x-modelyard-ignored") ?? "";
    for (const name of ["reasoning_content", "reasoning_details", "extra_content"])
      expect(ignored).toContain(name);
    const before = fault.requests.length;
    expect(await sentFor([QUESTION, FOREIGN, RESULT], "strict/m")).toEqual({
      role: "assistant",
      content: null,
      tool_calls: [CALL],
    });
    // The server has said it once: it isn't asked again.
    expect(fault.requests.length).toBe(before + 1);
  });

  test("is complete for another model of a server, and has none of the members that only one refuses", async () => {
    fault.respond = (exchange) => {
      const { model, messages } = exchange.json() as Sent & { model: string };
      const unknown = model === "m" ? unknownMember(messages, []) : undefined;
      if (unknown) json(exchange, 400, { error: { message: `property '${unknown}' is unsupported` } });
      else json(exchange, 200, completion({ role: "assistant", content: "ok" }));
    };
    const history = [QUESTION, FOREIGN, RESULT];
    for (let time = 0; time < 2; time++) {
      expect(await sentFor(history, "two/m")).toEqual({
        role: "assistant",
        content: null,
        tool_calls: [CALL],
      });
      expect(await sentFor(history, "two/n")).toEqual(FOREIGN as unknown as Members);
    }
  });

  test.each(["content_deltas", "extra_content"])(
    "is taken without %s in messages and their calls, wherever the gateway put it",
    async (name) => {
      serve({ role: "assistant", content: "ok" }, [], []);
      const call = { ...CALL, [name]: { a: 1 } };
      const message = { role: "assistant", content: null, [name]: [{ a: 1 }], tool_calls: [call] };
      expect(await sentFor([QUESTION, message as unknown as ChatCompletionMessageParam, RESULT])).toEqual({
        role: "assistant",
        content: null,
        tool_calls: [CALL],
      });
    },
  );

  test("is taken without a call's members of other servers, which are named", async () => {
    serve({ role: "assistant", content: "ok" }, [], []);
    const call = { ...CALL, index: 0, signature: "s" };
    const message = { role: "assistant", content: null, tool_calls: [call] };
    const { response } = await client()
      .chat.completions.create({
        model: newServer(),
        messages: [QUESTION, message as unknown as ChatCompletionMessageParam, RESULT],
      })
      .withResponse();
    expect((fault.requests.at(-1)?.json() as Sent | undefined)?.messages[1]).toEqual({
      ...message,
      tool_calls: [CALL],
    });
    expect(response.headers.get("x-modelyard-ignored")).toContain("messages[].tool_calls[].signature");
  });

  test("reaches a server that takes them as it is", async () => {
    serve(
      { role: "assistant", content: "ok" },
      [],
      ["reasoning_content", "reasoning_details", "extra_content"],
    );
    expect(await sentFor([QUESTION, FOREIGN, RESULT])).toEqual(FOREIGN as unknown as Members);
  });

  test("is refused in the server's words for what the client itself has written", async () => {
    serve({ role: "assistant", content: "ok" }, [], []);
    const own = { role: "assistant", content: "a", mine: 1 } as unknown as ChatCompletionMessageParam;
    const before = fault.requests.length;
    const error = await rejection(
      client().chat.completions.create({ model: newServer(), messages: [QUESTION, own, QUESTION] }),
      BadRequestError,
    );
    expect(error.message).toContain("property 'mine' is unsupported");
    expect(fault.requests.length).toBe(before + 1);
  });
});

test("a server that knows no role `developer` gets it as `system`", async () => {
  serve({ role: "assistant", content: "ok" }, [], []);
  for (const [model, role] of [
    ["old/m", "system"],
    [newServer(), "developer"],
  ] as const) {
    await client().chat.completions.create({
      model,
      messages: [{ role: "developer", content: "d" }, QUESTION],
    });
    const sent = fault.requests.at(-1)?.json() as Sent | undefined;
    expect(sent?.messages[0]).toEqual({ role, content: "d" });
  }
});
