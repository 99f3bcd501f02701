import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import OpenAI, { BadRequestError } from "openai";
import type { CompletionCreateParamsNonStreaming } from "openai/resources/completions";
import type { Exchange, FaultUpstream } from "../support/fault-upstream.ts";
import { jsonAnswer, sseAnswer, startFaultUpstream } from "../support/fault-upstream.ts";
import { rejection } from "../support/rejection.ts";
import type { Answers } from "../support/scripted-gateway.ts";
import { HELLO, say, stop } from "../support/scripted-gateway.ts";
import type { SeveralGateway } from "../support/several-gateway.ts";
import { startSeveral } from "../support/several-gateway.ts";

/**
 * POST /v1/completions with the official client: mapped on a conversation, or passed on where the server has it.
 * @module
 */
const ANSWERS: Answers = {
  hello: HELLO,
  mirror: [{ mirror: true }, stop()],
  twice: [say("b", 1), say("a", 0), stop(1), stop(0)],
  thoughtful: [{ type: "reasoning", text: "Let me think." }, ...HELLO],
  short: [say("Once upon"), { type: "finish", reason: "length" }],
  "breaks-off": [say("Once"), { fail: "failed", message: "the engine caught fire" }],
};

let server: FaultUpstream;
let gateway: SeveralGateway;
let client: OpenAI;
/** Whether the server has the endpoint. */
let has = true;

beforeAll(async () => {
  server = await startFaultUpstream();
  server.respond = respond;
  const options = `{ base_url: "${server.url}/v1", models: [old, talks] }`;
  const routes = [
    {
      model: "either",
      targets: [
        { upstream: "chat", model: "hello" },
        { upstream: "old", model: "old" },
      ],
    },
  ];
  gateway = await startSeveral(
    { chat: { answers: ANSWERS } },
    `  old: { plugin: openai, options: ${options} }\nroutes: ${JSON.stringify(routes)}\n`,
  );
  client = new OpenAI({ baseURL: gateway.baseURL, apiKey: gateway.key, maxRetries: 0 });
});
afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

/** A server that has legacy completions, or else only conversations. */
function respond(exchange: Exchange): void {
  if (exchange.path === "/v1/chat/completions") {
    const message = { role: "assistant", content: "said in a conversation" };
    exchange.send(jsonAnswer({ choices: [{ index: 0, message, finish_reason: "stop" }] }));
  } else if (!has) {
    exchange.send(jsonAnswer({ detail: "Not Found" }, 404));
  } else complete(exchange);
}

const LOGPROBS = { tokens: ["Hi"], token_logprobs: [-0.5], top_logprobs: [{ Hi: -0.5 }], text_offset: [0] };

function complete(exchange: Exchange): void {
  const { stream } = exchange.json() as { stream?: boolean };
  const head = { id: "cmpl-1", object: "text_completion", created: 7, model: "old-v1" };
  const usage = { prompt_tokens: 2, completion_tokens: 1, total_tokens: 3 };
  const whole = { index: 0, text: "Hi", logprobs: LOGPROBS, finish_reason: "stop" };
  if (!stream) return exchange.send(jsonAnswer({ ...head, choices: [whole], usage }));
  const frames = [
    { ...head, choices: [{ ...whole, finish_reason: null }] },
    { ...head, choices: [{ index: 0, text: "", logprobs: null, finish_reason: "stop" }] },
    { ...head, choices: [], usage },
  ].map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`);
  exchange.send(sseAnswer([...frames, "data: [DONE]\n\n"]));
}

type Asked = Partial<CompletionCreateParamsNonStreaming>;

function continued(more: Asked = {}) {
  return client.completions.create({ model: "hello", prompt: "Say hello", ...more });
}

async function streamed(more: Asked & { stream_options?: { include_usage: boolean } } = {}) {
  const request = { model: "hello", prompt: "Say hello", ...more, stream: true } as const;
  return Array.fromAsync(await client.completions.create(request));
}

/** What the upstream was asked, as it says itself. */
async function mirrored(more: Asked): Promise<unknown> {
  const { choices } = await continued({ model: "mirror", ...more });
  return JSON.parse(choices[0]?.text ?? "");
}

describe("mapped on a conversation", () => {
  test("a plain answer has the form of a text completion", async () => {
    const answer = await continued();
    expect(answer).toMatchObject({
      object: "text_completion",
      model: "hello",
      choices: [{ index: 0, text: "Hello, world", finish_reason: "stop", logprobs: null }],
      usage: { prompt_tokens: 7, completion_tokens: 3, total_tokens: 10 },
    });
    expect(answer.id).toMatch(/^cmpl-\w+$/);
  });

  test("a streamed one comes in pieces, its reason last", async () => {
    const chunks = await streamed();
    expect(chunks.map(({ choices }) => choices[0]?.text)).toEqual(["Hello, ", "world", ""]);
    expect(chunks.map(({ choices }) => choices[0]?.finish_reason)).toEqual([null, null, "stop"] as never);
    expect(new Set(chunks.map(({ id }) => id)).size).toBe(1);
    expect(chunks.every(({ object }) => object === "text_completion")).toBeTrue();
    expect(chunks.some(({ usage }) => usage)).toBeFalse();
  });

  test("include_usage adds one last chunk without choices", async () => {
    const chunks = await streamed({ stream_options: { include_usage: true } });
    expect(chunks.filter(({ usage }) => usage)).toHaveLength(1);
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { total_tokens: 10 } });
    expect(chunks.slice(0, -1).every(({ usage }) => usage === null)).toBeTrue();
  });

  test("the prompt is what the user says, and the other fields travel on", async () => {
    const asked = await mirrored({
      prompt: ["Say hello"],
      stop: ["\n"],
      temperature: 0.5,
      max_tokens: 9,
      n: 1,
      user: "alice",
      seed: 7,
    });
    expect(asked).toEqual({
      model: "mirror",
      messages: [{ role: "user", content: "Say hello" }],
      stop: ["\n"],
      temperature: 0.5,
      max_tokens: 9,
      n: 1,
      user: "alice",
      seed: 7,
    });
  });

  test("what asks for nothing is left out", async () => {
    const asked = await mirrored({ suffix: "", echo: false, best_of: 1, logprobs: null });
    expect(asked).toEqual({ model: "mirror", messages: [{ role: "user", content: "Say hello" }] });
  });

  test("several answers keep their places", async () => {
    const { choices } = await continued({ model: "twice", n: 2 });
    expect(choices.map(({ index, text }) => [index, text])).toEqual([
      [0, "a"],
      [1, "b"],
    ]);
    const chunks = await streamed({ model: "twice", n: 2 });
    expect(chunks.map(({ choices: [choice] }) => [choice?.index, choice?.text]).slice(0, 2)).toEqual([
      [1, "b"],
      [0, "a"],
    ]);
  });

  test("thoughts have no place in a text", async () => {
    expect((await continued({ model: "thoughtful" })).choices[0]?.text).toBe("Hello, world");
  });

  test("an answer at its length says so, and one that breaks off is an error", async () => {
    expect((await continued({ model: "short" })).choices[0]?.finish_reason).toBe("length");
    const heard: string[] = [];
    const stream = await client.completions.create({ model: "breaks-off", prompt: "Once", stream: true });
    const reading = (async () => {
      for await (const { choices } of stream) heard.push(choices[0]?.text ?? "");
    })();
    expect(await reading.catch((error: unknown) => error)).toMatchObject({ code: "upstream_error" });
    expect(heard).toEqual(["Once"]);
    expect(await continued({ model: "breaks-off" }).catch((error: unknown) => error)).toMatchObject({
      status: 502,
      code: "upstream_error",
    });
  });

  test("usage that nobody tells is estimated", async () => {
    const { data, response } = await continued({ model: "short" }).withResponse();
    expect(response.headers.get("x-modelyard-usage")).toBe("estimated");
    expect(data.usage?.prompt_tokens).toBeGreaterThan(0);
    expect(data.usage?.completion_tokens).toBe(2);
  });
});

describe("what can't be", () => {
  const cases: [Asked, string, string][] = [
    [{ suffix: "!" }, "unsupported_parameter", "suffix"],
    [{ echo: true }, "unsupported_parameter", "echo"],
    [{ best_of: 3 }, "unsupported_parameter", "best_of"],
    [{ logprobs: 1 }, "unsupported_parameter", "logprobs"],
    [{ logprobs: 0 }, "unsupported_parameter", "logprobs"],
    [{ prompt: ["a", 1] } as never, "invalid_value", "prompt[1]"],
    [{ prompt: [[]] }, "invalid_value", "prompt[0]"],
    [{ prompt: [] }, "invalid_value", "prompt"],
    [{ prompt: undefined } as never, "missing_required_parameter", "prompt"],
    [{ messages: [null] } as Asked, "invalid_value", "messages"],
  ];
  for (const [body, code, param] of cases) {
    test(`is a 400 that names it: ${JSON.stringify(body)}`, async () => {
      const before = gateway.status("chat").begun;
      const error = await rejection(continued(body), BadRequestError);
      expect([error.code, error.param]).toEqual([code, param]);
      expect(error.message).toContain(param);
      expect(gateway.status("chat").begun).toBe(before);
    });
  }
});

describe("passed on to a server that has the endpoint", () => {
  test("everything reaches it, and everything comes back", async () => {
    has = true;
    const body = { prompt: "H", suffix: "!", echo: true, best_of: 2, logprobs: 1, max_tokens: 5 };
    const answer = await continued({ model: "old", ...body });
    expect(server.requests.at(-1)?.path).toBe("/v1/completions");
    expect(server.requests.at(-1)?.json()).toEqual({ model: "old", ...body });
    expect(answer).toMatchObject({
      id: "cmpl-1",
      created: 7,
      model: "old-v1",
      choices: [{ index: 0, text: "Hi", logprobs: LOGPROBS, finish_reason: "stop" }],
      usage: { prompt_tokens: 2, completion_tokens: 1, total_tokens: 3 },
    });
  });

  test("streamed, too", async () => {
    has = true;
    const chunks = await streamed({ model: "old", logprobs: 1 });
    expect(chunks.map(({ choices }) => choices[0]?.text).join("")).toBe("Hi");
    expect(chunks.find(({ choices }) => choices[0]?.logprobs)?.choices[0]?.logprobs).toEqual(LOGPROBS);
    expect(chunks.at(-1)?.choices[0]?.finish_reason).toBe("stop");
  });

  test("one that turns out not to have it is asked in a conversation, within the same try", async () => {
    has = false;
    const { data, response } = await continued({ model: "talks" }).withResponse();
    expect(data.choices[0]?.text).toBe("said in a conversation");
    expect(response.headers.get("x-modelyard-attempts")).toBe("1");
  });

  test("is the next target for what a conversation can't do", async () => {
    has = true;
    const { response } = await continued({ model: "either", suffix: "!" }).withResponse();
    expect(response.headers.get("x-modelyard-upstream")).toBe("old");
    const { response: simple } = await continued({ model: "either" }).withResponse();
    expect(simple.headers.get("x-modelyard-upstream")).toBe("chat");
  });
});
