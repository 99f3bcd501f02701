import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { LLMock } from "@copilotkit/aimock";
import OpenAI from "openai";
import {
  sseAnswer,
  jsonAnswer,
  playTo,
  startFaultUpstream,
  bodyStart,
} from "../../test/support/fault-upstream.ts";
import type { FaultUpstream } from "../../test/support/fault-upstream.ts";
import { startGateway } from "../../test/support/gateway.ts";
import type { RunningGateway } from "../../test/support/gateway.ts";

const fixture = (name: string) => Bun.file(new URL(`fixtures/${name}`, import.meta.url)).text();
const frames = (text: string) => text.split(/(?<=\r?\n\r?\n)/);

let fault: FaultUpstream;
let mock: LLMock;
let gateway: RunningGateway;
let client: OpenAI;

beforeAll(async () => {
  fault = await startFaultUpstream();
  mock = new LLMock({ port: 0, host: "127.0.0.1", logLevel: "silent" });
  await mock.start();
  gateway = await startGateway(`
upstreams:
  gemini:
    plugin: gemini
    options: { api_key: key-1, base_url: "${fault.url}/v1beta", models: [gemini-2.5-flash, gemini-3-flash-preview] }
  mock:
    plugin: gemini
    options: { api_key: key-2, base_url: "${mock.url}/v1beta", models: [gemini-2.0-flash] }
retry: { attempts: 1 }
health: { failures: 100000 }
`);
  client = new OpenAI({ baseURL: gateway.baseURL, apiKey: gateway.key, maxRetries: 0 });
});

afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await mock.stop();
  await fault[Symbol.asyncDispose]();
});

const WEATHER = {
  type: "function" as const,
  function: {
    name: "weather_of",
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  },
};

type Message = OpenAI.ChatCompletionMessageParam;

describe("a conversation with tools in two turns, through the openai package", () => {
  const asked: Message[] = [{ role: "user", content: "How is the weather?" }];
  const request = { model: "gemini-3-flash-preview", tools: [WEATHER], reasoning_effort: "low" as const };

  /** Answers the calls of a message, and gives what Gemini is then sent. */
  async function secondTurn(message: OpenAI.ChatCompletionMessage) {
    const results = (message.tool_calls ?? []).toReversed().map((call): Message => {
      return { role: "tool", tool_call_id: call.id, content: JSON.stringify({ id: call.id }) };
    });
    fault.respond = (exchange) => exchange.send(jsonAnswer(plain("It is sunny.")));
    const answer = await client.chat.completions.create({
      ...request,
      messages: [...asked, message, ...results],
    });
    expect(answer.choices[0]).toMatchObject({ message: { content: "It is sunny." }, finish_reason: "stop" });
    return (fault.requests.at(-1)!.json() as { contents: { role: string; parts: Part[] }[] }).contents;
  }

  interface Part {
    functionCall?: { id: string; name: string; args: object };
    functionResponse?: { id: string; name: string; response: { id: string } };
    thoughtSignature?: string;
  }

  function expectMatched(contents: { role: string; parts: Part[] }[], signature: string): void {
    expect(contents.map(({ role }) => role)).toEqual(["user", "model", "user"]);
    const calls = contents[1]?.parts ?? [];
    expect(calls.map(({ functionCall }) => [functionCall?.name, functionCall?.args])).toEqual([
      ["weather_of", { city: "Lisbon", days: 2 }],
      ["weather_of", { city: "Porto", days: 2 }],
      ["now", {}],
    ]);
    expect(calls.map(({ thoughtSignature }) => thoughtSignature)).toEqual([signature, undefined, undefined]);
    const ids = calls.map(({ functionCall }) => functionCall?.id);
    expect(new Set(ids).size).toBe(3);
    expect(ids[2]).toBe("own-7");
    const answers = contents[2]?.parts.map(({ functionResponse }) => functionResponse);
    expect(answers?.map((each) => each?.id)).toEqual(ids.toReversed());
    expect(answers?.map((each) => each?.response.id)).toEqual(ids.toReversed());
    expect(answers?.map((each) => each?.name)).toEqual(["now", "weather_of", "weather_of"]);
  }

  const SIGNATURE = "EtEDCs4DAXLI2nx+/Qq0==";

  test("streamed: every signature comes back to the byte, every answer finds its call", async () => {
    const text = await fixture("calls.sse");
    fault.respond = (exchange) => exchange.send(sseAnswer(frames(text)));
    const stream = client.chat.completions.stream({ ...request, messages: asked });
    const { choices } = await stream.finalChatCompletion();
    expect(choices[0]).toMatchObject({ finish_reason: "tool_calls", native_finish_reason: "STOP" });
    expectMatched(await secondTurn(choices[0]!.message), SIGNATURE);
  });

  test("plain", async () => {
    const chunks = frames((await fixture("calls.sse")).trim()).map((frame) => JSON.parse(frame.slice(5)));
    const parts = chunks.flatMap(({ candidates }) => candidates[0].content.parts);
    fault.respond = (exchange) => exchange.send(jsonAnswer(plain("", parts)));
    const { choices } = await client.chat.completions.create({ ...request, messages: asked });
    expect(choices[0]).toMatchObject({ finish_reason: "tool_calls" });
    expectMatched(await secondTurn(choices[0]!.message), SIGNATURE);
  });

  test("the signature of a text comes back with that text", async () => {
    const text = await fixture("text.sse");
    fault.respond = (exchange) => exchange.send(sseAnswer(frames(text)));
    const stream = client.chat.completions.stream({ ...request, messages: asked });
    const { choices } = await stream.finalChatCompletion();
    const contents = await secondTurn(choices[0]!.message);
    expect(contents[1]?.parts as object[]).toEqual([
      { text: "Grüße aus Köln 👋", thoughtSignature: "CiQB0e2Kb7Zq+/8x==" },
    ]);
  });

  function plain(text: string, parts: object[] = [{ text }]) {
    return { candidates: [{ content: { role: "model", parts }, finishReason: "STOP", index: 0 }] } as never;
  }
});

test("an answer that is cut at any byte is whole if its finish reason was had, and else an error", async () => {
  const text = await fixture("text.sse");
  const answer = sseAnswer(frames(text));
  const bytes = Buffer.from(answer);
  const lastBrace = bytes.lastIndexOf("}") + 1;
  const outcomes = { whole: 0, failed: 0 };
  for (let cut = bodyStart(answer); cut <= answer.length; cut++) {
    const how = cut % 2 === 0 ? "reset" : "close";
    fault.respond = (exchange) => playTo(exchange, answer, cut, how);
    const response = await gateway.chat({
      model: "gemini-2.5-flash",
      messages: [{ role: "user", content: "Hi" }],
      stream: true,
    });
    const body = await response.text();
    const isWhole = response.status === 200 && body.endsWith("data: [DONE]\n\n");
    expect(isWhole).toBe(body.includes('"finish_reason":"stop"'));
    expect(isWhole).toBe(!body.includes('"error"'));
    if (isWhole) expect(body).toContain("aus Köln 👋");
    if (cut < lastBrace) expect(isWhole).toBe(false);
    if (cut >= answer.length - 2 && how === "close") expect(isWhole).toBe(true);
    outcomes[isWhole ? "whole" : "failed"]++;
  }
  expect(outcomes.whole).toBeGreaterThan(0);
  expect(outcomes.failed).toBeGreaterThan(answer.length / 2);
}, 60_000);

test("a client that leaves ends the call", async () => {
  const first = frames(await fixture("text.sse"))[0]!;
  const exchangeSeen = Promise.withResolvers<{ closed: Promise<number> }>();
  fault.respond = async (exchange) => {
    exchange.head(200, { "content-type": "text/event-stream" });
    exchange.chunk(first);
    exchangeSeen.resolve(exchange);
  };
  const leaving = new AbortController();
  const body = { model: "gemini-2.5-flash", messages: [{ role: "user", content: "Hi" }], stream: true };
  const response = await gateway.chat(body, { signal: leaving.signal });
  await response.body!.getReader().read();
  const { closed } = await exchangeSeen.promise;
  const left = performance.now();
  leaving.abort();
  expect((await closed) - left).toBeLessThan(500);
});

describe("what the mock says to Gemini's own clients comes out as OpenAI has it", () => {
  interface Direct {
    candidates: { content: { parts: DirectPart[] }; finishReason?: string }[];
    usageMetadata?: Record<string, number>;
  }
  interface DirectPart {
    text?: string;
    thought?: boolean;
    functionCall?: { name: string; args: object; id?: string };
  }

  const REASONS: Record<string, string> = {
    STOP: "stop",
    MAX_TOKENS: "length",
    SAFETY: "content_filter",
    FUNCTION_CALL: "tool_calls",
  };

  /** What the mock answers when it is asked directly, one piece or many as one. */
  async function direct(text: string, stream: boolean) {
    const method = stream ? "streamGenerateContent?alt=sse" : "generateContent";
    const response = await fetch(`${mock.url}/v1beta/models/gemini-2.0-flash:${method}`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-goog-api-key": "key" },
      body: JSON.stringify({ contents: [{ role: "user", parts: [{ text }] }] }),
    });
    const body = await response.text();
    const chunks = (
      stream ? frames(body.trim()).map((frame) => JSON.parse(frame.slice(5))) : [JSON.parse(body)]
    ) as Direct[];
    const parts = chunks.flatMap(({ candidates }) => candidates[0]!.content.parts);
    return {
      text: parts
        .filter(({ thought }) => !thought)
        .map((part) => part.text ?? "")
        .join(""),
      thoughts: parts
        .filter(({ thought }) => thought)
        .map((part) => part.text ?? "")
        .join(""),
      calls: parts.flatMap(({ functionCall }) => functionCall ?? []),
      reason: chunks.at(-1)!.candidates[0]!.finishReason!,
      usage: chunks.at(-1)!.usageMetadata!,
    };
  }

  async function throughGateway(text: string, stream: boolean) {
    const messages: Message[] = [{ role: "user", content: text }];
    const request = { model: "gemini-2.0-flash", messages };
    if (!stream) return { ...(await client.chat.completions.create(request)), thoughts: undefined };
    let thoughts = "";
    const streamed = client.chat.completions.stream({ ...request, stream_options: { include_usage: true } });
    // The package itself keeps only the last piece of a field that it doesn't know.
    streamed.on("chunk", ({ choices }) => {
      thoughts += (choices[0]?.delta as { reasoning_content?: string } | undefined)?.reasoning_content ?? "";
    });
    return { ...(await streamed.finalChatCompletion()), thoughts };
  }

  beforeAll(() => {
    const usage = { promptTokenCount: 11, candidatesTokenCount: 7, totalTokenCount: 18 };
    mock.onMessage("say much", { content: "Ein längerer Satz, in Stücken 👋.", usage } as never);
    mock.onMessage("think", { content: "So it is.", reasoning: "Let me think about it.", usage } as never);
    mock.onMessage("end early", { content: "Once upon", finishReason: "length", usage } as never);
    mock.onMessage("be bad", { content: "", finishReason: "content_filter", usage } as never);
    mock.onMessage("call", {
      toolCalls: [
        { name: "weather_of", arguments: '{"city":"Lisbon"}', id: "t1" },
        { name: "now", arguments: "{}" },
      ],
      usage,
    } as never);
  });

  const cases = ["say much", "think", "end early", "be bad", "call"].flatMap((text) => [
    [text, true] as const,
    [text, false] as const,
  ]);

  test.each(cases)("%s, streamed: %p", async (text, stream) => {
    const [own, seen] = [await direct(text, stream), await throughGateway(text, stream)];
    const [choice] = seen.choices;
    const message = choice!.message as OpenAI.ChatCompletionMessage & { reasoning_content?: string };
    expect(message.content ?? "").toBe(own.text);
    expect(seen.thoughts ?? message.reasoning_content ?? "").toBe(own.thoughts);
    expect(choice!.finish_reason as string).toBe(REASONS[own.reason]!);
    expect(choice).toHaveProperty("native_finish_reason", own.reason);
    const calls = (message.tool_calls ?? []) as OpenAI.ChatCompletionMessageFunctionToolCall[];
    expect(calls.map((call) => [call.function.name, JSON.parse(call.function.arguments)])).toEqual(
      own.calls.map(({ name, args }) => [name, args]),
    );
    calls.forEach(({ id }, index) =>
      expect(id).toEqual(own.calls[index]!.id ?? expect.stringMatching(/^call_/)),
    );
    expect(seen.usage).toMatchObject({
      prompt_tokens: own.usage["promptTokenCount"]!,
      completion_tokens: own.usage["candidatesTokenCount"]!,
      total_tokens: own.usage["totalTokenCount"]!,
    });
    expect(own.text + own.thoughts + JSON.stringify(own.calls)).not.toBe("");
  });

  test("an error is the mock's own", async () => {
    mock.nextRequestError(429, { message: "Slow down", type: "rate_limit_error" });
    const failure = await throughGateway("say much", false).catch((error: unknown) => error);
    expect(failure).toMatchObject({ status: 429, message: expect.stringContaining("Slow down") });
  });
});

test("parameters that are not honoured are named to the client", async () => {
  fault.respond = (exchange) =>
    exchange.send(jsonAnswer(JSON.parse('{"candidates":[{"finishReason":"STOP"}]}')));
  const body = {
    model: "gemini-2.5-flash",
    messages: [{ role: "user", content: "Hi" }],
    user: "me",
    logit_bias: { "1": 2 },
  };
  const response = await gateway.chat(body);
  expect(response.headers.get("x-modelyard-ignored")).toBe("user,logit_bias");
  const refused = await gateway.chat({ ...body, web_search_options: {} });
  expect([refused.status, await refused.json()]).toMatchObject([
    400,
    { error: { param: "web_search_options" } },
  ]);
});

test.each([
  ["api_keyy: k", /api_keyy/],
  ["api_key: k, safety: { harassment: NEVER }", /safety/],
  ["api_key: k, api_keys: [{ key: a, weight: 0 }]", /weight/],
  ["thoughts: true", /api_key/],
])("options %s are refused with their name", async (options, expected) => {
  const yaml = `upstreams: { gemini: { plugin: gemini, options: { ${options} } } }`;
  const started = startGateway(yaml);
  await expect(started).rejects.toThrow(expected);
});
