import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import OpenAI, { APIError, BadRequestError } from "openai";
import type { CompletionCreateParamsNonStreaming } from "openai/resources/completions";
import type { Exchange, FaultUpstream } from "../support/fault-upstream.ts";
import {
  jsonAnswer,
  openaiChunks,
  openaiCompletion,
  sseAnswer,
  startFaultUpstream,
} from "../support/fault-upstream.ts";
import { rejection } from "../support/rejection.ts";
import { HELLO } from "../support/scripted-gateway.ts";
import type { SeveralGateway } from "../support/several-gateway.ts";
import { startSeveral } from "../support/several-gateway.ts";
import { until, withinMs } from "../support/until.ts";

/**
 * POST /v1/completions with lists of prompts and token numbers, with the official client.
 * @module
 */
const KEYS = "keys: [{ name: test, key: sk-test-0123456789, limits: { requests_per_minute: 1000 } }]\n";

/** Has only conversations. */
let talker: FaultUpstream;
/** Has the endpoint. */
let completer: FaultUpstream;
let gateway: SeveralGateway;
let client: OpenAI;

beforeAll(async () => {
  [talker, completer] = await Promise.all([startFaultUpstream(), startFaultUpstream()]);
  const server = ({ url }: FaultUpstream, models: string) =>
    `{ plugin: openai, options: { base_url: "${url}/v1", models: [${models}] } }`;
  const routes = [
    {
      model: "either",
      targets: [
        { upstream: "scripted", model: "hello" },
        { upstream: "old", model: "lists" },
      ],
    },
  ];
  const others = `  new: ${server(talker, "talks")}\n  old: ${server(completer, "lists")}\n`;
  gateway = await startSeveral(
    { scripted: { answers: { hello: HELLO } } },
    `${others}retry: { attempts: 1 }\n${KEYS}routes: ${JSON.stringify(routes)}\n`,
  );
  client = new OpenAI({ baseURL: gateway.baseURL, apiKey: gateway.key, maxRetries: 0 });
});
afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await talker[Symbol.asyncDispose]();
  await completer[Symbol.asyncDispose]();
});

/** Requests that are not answered yet, and the most that there were. */
let open: Exchange[] = [];
let most = 0;
beforeEach(() => {
  open = [];
  most = 0;
  talker.respond = (exchange) =>
    exchange.path.endsWith("/chat/completions") ? talk(exchange) : hasNone(exchange);
});
afterEach(() => until(() => gateway.gateway.inFlight.running === 0, "the end of all calls"));

function hasNone(exchange: Exchange): void {
  exchange.send(jsonAnswer({ error: { message: "no such page" } }, 404));
}

interface Asked {
  readonly stream?: boolean;
  readonly messages: readonly [{ readonly content: string }];
}

function promptOf(exchange: Exchange): string {
  return (exchange.json() as Asked).messages[0].content;
}

const USAGE = { prompt_tokens: 2, completion_tokens: 3, total_tokens: 5 };

/** Answers a prompt with itself; of a list of nine, when four are asked at the same time or it is the last. */
function talk(exchange: Exchange): void {
  const prompt = promptOf(exchange);
  open.push(exchange);
  most = Math.max(most, open.length);
  if (open.length === 4 || prompt.length === 1 || prompt === NINE.at(-1))
    for (const one of open.splice(0)) answer(one);
}

function answer(exchange: Exchange): void {
  const text = `<${promptOf(exchange)}>`;
  const { stream } = exchange.json() as Asked;
  if (stream) exchange.send(sseAnswer(openaiChunks(text, { usage: USAGE })));
  else exchange.send(jsonAnswer(openaiCompletion(text, USAGE)));
}

type Body = Partial<CompletionCreateParamsNonStreaming>;

function completions(more: Body) {
  return client.completions.create({ model: "talks", prompt: "a", ...more });
}

/** What a stream says, by choice. */
async function streamed(more: Body) {
  const body = { model: "talks", prompt: "a", ...more, stream: true as const };
  const texts: string[] = [];
  const finishes: string[] = [];
  const usages: unknown[] = [];
  const stream = await client.completions.create({ ...body, stream_options: { include_usage: true } });
  for await (const { choices, usage } of stream) {
    for (const { index, text, finish_reason: reason } of choices) {
      texts[index] = (texts[index] ?? "") + text;
      if (reason) finishes[index] = reason;
    }
    if (usage) usages.push(usage);
  }
  return { texts, finishes, usages };
}

const NINE = Array.from({ length: 9 }, (_, nth) => `prompt ${nth}`);

describe("a list of texts, where the upstream only holds conversations", () => {
  test("is asked text by text, four at a time, and answered as one", async () => {
    const { data, response } = await completions({ prompt: NINE }).withResponse();
    expect(data.choices.map(({ index, text, finish_reason: reason }) => [index, text, reason])).toEqual(
      NINE.map((prompt, index) => [index, `<${prompt}>`, "stop"]),
    );
    expect(data.usage).toMatchObject({ prompt_tokens: 18, completion_tokens: 27, total_tokens: 45 });
    expect(response.headers.get("x-modelyard-usage")).toBe("upstream");
    expect(response.headers.get("x-modelyard-attempts")).toBe("1");
    expect(most).toBe(4);
  });

  test("streamed, too", async () => {
    const { texts, finishes, usages } = await streamed({ prompt: NINE });
    expect(texts).toEqual(NINE.map((prompt) => `<${prompt}>`));
    expect(finishes).toEqual(NINE.map(() => "stop"));
    expect(usages).toMatchObject([{ prompt_tokens: 18, completion_tokens: 27, total_tokens: 45 }]);
    expect(most).toBe(4);
  });

  test("counts as one request of a limit", async () => {
    const left = async () => {
      const { response } = await completions({ prompt: ["a", "b", "c"] }).withResponse();
      return Number(response.headers.get("x-ratelimit-remaining-requests"));
    };
    expect((await left()) - (await left())).toBe(1);
  });

  test("has `n` choices for each text", async () => {
    talker.respond = (exchange) => {
      if (!exchange.path.endsWith("/chat/completions")) return hasNone(exchange);
      const choices = [1, 0].map((index) => ({
        index,
        message: { role: "assistant", content: `${promptOf(exchange)}${index}` },
        finish_reason: "stop",
      }));
      return exchange.send(jsonAnswer({ choices }));
    };
    const { choices } = await completions({ prompt: ["a", "b"], n: 2 });
    expect(choices.map(({ index, text }) => [index, text])).toEqual([
      [0, "a0"],
      [1, "a1"],
      [2, "b0"],
      [3, "b1"],
    ]);
  });

  test("of which one has more choices than were asked for is a 502", async () => {
    talker.respond = (exchange) => {
      if (!exchange.path.endsWith("/chat/completions")) return hasNone(exchange);
      return exchange.send(
        jsonAnswer({ choices: [{ index: 1, message: { content: "b's?" }, finish_reason: "stop" }] }),
      );
    };
    expect(await rejection(completions({ prompt: ["a", "b"] }), APIError)).toMatchObject({
      status: 502,
      code: "upstream_bad_response",
    });
  });

  test("whose usage one answer doesn't tell is estimated", async () => {
    talker.respond = (exchange) => {
      if (!exchange.path.endsWith("/chat/completions")) return hasNone(exchange);
      const prompt = promptOf(exchange);
      return exchange.send(
        jsonAnswer(openaiCompletion("four words are here", prompt === "b" ? undefined : USAGE)),
      );
    };
    const { data, response } = await completions({ prompt: ["a", "b"] }).withResponse();
    expect(response.headers.get("x-modelyard-usage")).toBe("estimated");
    expect(data.usage?.prompt_tokens).toBeGreaterThan(0);
    expect(data.usage?.completion_tokens).toBe(8);
  });

  test("of more than 128 choices is refused, and one of more than 1024 everywhere", async () => {
    const many = (count: number) => Array.from({ length: count }, () => "a");
    expect(await rejection(completions({ prompt: many(43), n: 3 }), BadRequestError)).toMatchObject({
      code: "unsupported_parameter",
      param: "prompt",
    });
    expect(await rejection(completions({ prompt: many(1025) }), BadRequestError)).toMatchObject({
      code: "invalid_value",
      param: "prompt",
    });
  });
});

describe("one answer of a list that fails", () => {
  /** Answers `bad` as told once the others, which stay open, are asked. */
  function failing(break_: (exchange: Exchange) => void): { readonly left: Promise<unknown> } {
    const others: Exchange[] = [];
    const left = Promise.withResolvers<unknown>();
    talker.respond = async (exchange) => {
      if (!exchange.path.endsWith("/chat/completions")) return hasNone(exchange);
      if (promptOf(exchange) !== "bad") {
        others.push(exchange);
        if (others.length === 3) left.resolve(Promise.all(others.map(({ closed }) => closed)));
        exchange.head(200, { "content-type": "text/event-stream" });
        exchange.chunk(openaiChunks("said", { finish: null, done: false }).join(""));
        return undefined;
      }
      await until(() => others.length === 3, "the others");
      return break_(exchange);
    };
    return { left: left.promise };
  }

  const FAILURES: [string, string, (exchange: Exchange) => void][] = [
    ["an error", "upstream_error", (it) => it.send(jsonAnswer({ error: { message: "it burns" } }, 500))],
    [
      "a stream that merely ends",
      "upstream_truncated",
      (it) => it.send(sseAnswer(openaiChunks("cut", { finish: null, done: false }))),
    ],
    ["a reset", "upstream_unavailable", (it) => it.reset()],
  ];
  for (const [name, code, break_] of FAILURES) {
    test(`by ${name} fails all of a stream, and the others are left`, async () => {
      const { left } = failing(break_);
      const error = await rejection(streamed({ prompt: ["a", "b", "bad", "c", "d"] }), APIError);
      expect(error.code).toBe(code);
      await withinMs(left, "the end of the others");
    });
  }

  test("fails a plain list with its status, and the others are left", async () => {
    const { left } = failing((it) => it.send(jsonAnswer({ error: { message: "it burns" } }, 500)));
    const error = await rejection(completions({ prompt: ["a", "b", "bad", "c", "d"] }), APIError);
    expect(error).toMatchObject({ status: 502, code: "upstream_error" });
    await withinMs(left, "the end of the others");
  });

  test("is left with the others when the client goes", async () => {
    const { left } = failing(() => undefined);
    const controller = new AbortController();
    const body = { model: "talks", prompt: ["a", "b", "bad", "c"], stream: true as const };
    const stream = await client.completions.create(body, { signal: controller.signal });
    for await (const { choices } of stream) if (choices[0]?.text) break;
    controller.abort();
    await withinMs(left, "the end of the others");
  });
});

describe("every form of prompt", () => {
  const FORMS = ["a", ["a", "b"], [1, 2, 3], [[1, 2], [3]]];
  for (const prompt of FORMS) {
    test(`reaches a server that has the endpoint as it is: ${JSON.stringify(prompt)}`, async () => {
      const count = typeof prompt === "string" || typeof prompt[0] === "number" ? 1 : 2;
      completer.respond = (exchange) => {
        const choices = Array.from({ length: count }, (_, index) => ({
          index,
          text: `${index}`,
          finish_reason: "stop",
        }));
        exchange.send(jsonAnswer({ object: "text_completion", choices, usage: USAGE }));
      };
      const { choices } = await completions({ model: "lists", prompt });
      expect(choices.map(({ text }) => text)).toEqual(["0", "1"].slice(0, count));
      expect(completer.requests.at(-1)?.json()).toEqual({ model: "lists", prompt });
    });
  }

  for (const stream of [false, true]) {
    test(`of which one is not answered is an error, ${stream ? "streamed" : "plain"}`, async () => {
      completer.respond = (exchange) => {
        const one = { choices: [{ index: 0, text: "only", finish_reason: "stop" }], usage: USAGE };
        exchange.send(
          stream ? sseAnswer([`data: ${JSON.stringify(one)}\n\n`, "data: [DONE]\n\n"]) : jsonAnswer(one),
        );
      };
      const asked = { model: "lists", prompt: ["a", "b"] };
      const error = await rejection<APIError>(stream ? streamed(asked) : completions(asked), APIError);
      expect(error.code).toBe("upstream_truncated");
    });
  }

  test("of token numbers is refused where the upstream only holds conversations", async () => {
    for (const prompt of [
      [1, 2],
      [[1], [2]],
    ]) {
      expect(await rejection(completions({ prompt }), BadRequestError)).toMatchObject({
        code: "unsupported_parameter",
        param: "prompt",
      });
    }
  });

  test("goes to the next target where the first can't read it", async () => {
    completer.respond = (exchange) =>
      exchange.send(
        jsonAnswer({ choices: [{ index: 0, text: "read", finish_reason: "stop" }], usage: USAGE }),
      );
    const { data, response } = await completions({ model: "either", prompt: [1, 2] }).withResponse();
    expect(data.choices[0]?.text).toBe("read");
    expect(response.headers.get("x-modelyard-upstream")).toBe("old");
  });
});
