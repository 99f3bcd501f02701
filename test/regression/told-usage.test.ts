import { Database } from "bun:sqlite";
import { afterAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import type { JsonObject } from "../../src/contract/index.ts";
import type { Exchange } from "../support/fault-upstream.ts";
import { jsonAnswer, sseAnswer, startFaultUpstream } from "../support/fault-upstream.ts";
import { startGateway } from "../support/gateway.ts";
import { until } from "../support/until.ts";

/**
 * Usage that an upstream told is booked and charged, whatever became of its answer; a request that was sent and left
 * is charged at least its prompt.
 * @module
 */
const stub = await startFaultUpstream();
const KEYS = [{ name: "test", key: "sk-test-0123456789", budget: { usd: 1e9, tokens: 1e12, per: "month" } }];
const of = (plugin: string, options: object, timeouts = {}) => ({ plugin, options, timeouts });
const UPSTREAMS = {
  oa: of("openai", { base_url: `${stub.url}/v1`, models: ["m"] }),
  slow: of("openai", { base_url: `${stub.url}/v1`, models: ["m", "silent"] }, { first_event: "300ms" }),
  an: of("anthropic", { base_url: stub.url, api_key: "k" }),
  ge: of("gemini", { base_url: `${stub.url}/v1beta`, api_key: "k" }),
};
const ROUTES = [
  {
    model: "both",
    targets: [
      { upstream: "ge", model: "gemini-2.5-flash" },
      { upstream: "oa", model: "m" },
    ],
  },
  {
    model: "slow-both",
    targets: [
      { upstream: "slow", model: "silent" },
      { upstream: "oa", model: "m" },
    ],
  },
];
const gateway = await startGateway(
  `retry: { attempts: 3, backoff: 1ms }
health: { failures: 1000000 }
prices: ./prices.yaml
keys: ${JSON.stringify(KEYS)}
routes: ${JSON.stringify(ROUTES)}
upstreams: ${JSON.stringify(UPSTREAMS)}
`,
  {
    files: {
      // A dollar for each token of OpenAI's, two for each of the others'.
      "prices.yaml": `version: "1"
prices:
  - { model: ["oa/*", "slow/*"], input: 1000000, output: 1000000 }
  - { model: "*", input: 2000000, output: 2000000 }
`,
    },
  },
);
afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await stub[Symbol.asyncDispose]();
});

interface Row {
  readonly outcome: string;
  readonly input: number | null;
  readonly output: number | null;
  readonly source: string | null;
  readonly paid_input: number;
  readonly paid_output: number;
  readonly cost: number | null;
}

/** The row of a request, as soon as it has ended. */
async function rowOf(id: string): Promise<Row> {
  const read = () => {
    gateway.gateway.ledger.flush();
    using database = new Database(join(gateway.directory, "data/modelyard.db"), { readonly: true });
    return database
      .query<Row, [string]>(
        `SELECT outcome, input, output, usage_source AS source, paid_input, paid_output, cost FROM requests
         WHERE request = ? AND outcome IS NOT NULL`,
      )
      .get(id);
  };
  await until(() => read() !== null, `the row of ${id}`);
  return read() as Row;
}

/** A prompt of 2,000 words. */
const LONG = "word ".repeat(2_000);
let nth = 0;

async function ask(body: JsonObject, respond: (exchange: Exchange) => void, init: RequestInit = {}) {
  stub.respond = respond;
  const id = `told-${nth++}`;
  const response = await gateway.chat(
    { messages: [{ role: "user", content: "Hi" }], ...body },
    { ...init, headers: { "x-request-id": id } },
  );
  await response.text();
  return { status: response.status, row: await rowOf(id) };
}

const events = (...datas: (JsonObject & { readonly type: string })[]) =>
  sseAnswer(datas.map((data) => `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`));
const GEMINI_USAGE = { promptTokenCount: 77, candidatesTokenCount: 40, totalTokenCount: 117 };
const MALFORMED = {
  candidates: [{ index: 0, content: { parts: [], role: "model" }, finishReason: "MALFORMED_FUNCTION_CALL" }],
  usageMetadata: GEMINI_USAGE,
};
const usage = (prompt: number, completion: number) => ({
  prompt_tokens: prompt,
  completion_tokens: completion,
  total_tokens: prompt + completion,
});
const said = (finish_reason: string | null) => ({
  id: "c",
  object: "chat.completion",
  choices: [{ index: 0, message: { role: "assistant", content: "Hi" }, finish_reason }],
});
const chunk = (delta: JsonObject, finish_reason: string | null = null) => ({
  id: "c",
  object: "chat.completion.chunk",
  choices: [{ index: 0, delta, finish_reason }],
});
const START = { type: "message_start", message: { id: "m", usage: { input_tokens: 25, output_tokens: 1 } } };
const OVERLOADED = { type: "error", error: { type: "overloaded_error", message: "Overloaded" } };

describe("what was told with a failed answer is booked", () => {
  const GEMINI = "ge/gemini-2.5-flash";
  const CASES: readonly [string, JsonObject, Uint8Array, Partial<Row>][] = [
    [
      "gemini, plain, each of its calls",
      { model: GEMINI },
      jsonAnswer(MALFORMED),
      { input: 77, output: 40, source: "upstream", paid_input: 154, paid_output: 80, cost: 468 },
    ],
    [
      "gemini, streamed, after a text",
      { model: GEMINI, stream: true },
      sseAnswer(
        [
          { candidates: [{ index: 0, content: { parts: [{ text: "Hi" }], role: "model" } }] },
          {
            candidates: [{ index: 0, finishReason: "MALFORMED_FUNCTION_CALL" }],
            usageMetadata: GEMINI_USAGE,
          },
        ].map((data) => `data: ${JSON.stringify(data)}\n\n`),
      ),
      { input: 77, output: 40, source: "upstream", paid_input: 77, paid_output: 40, cost: 234 },
    ],
    ...["error", null].map((reason): [string, JsonObject, Uint8Array, Partial<Row>] => [
      `openai, plain, with a text and finish_reason ${reason}`,
      { model: "oa/m" },
      jsonAnswer({ ...said(reason), usage: usage(9, 33) }),
      { input: 9, output: 33, source: "upstream", paid_input: 9, paid_output: 33, cost: 42 },
    ]),
    [
      "openai, plain, an error with status 200",
      { model: "oa/m" },
      jsonAnswer({ error: { message: "no" }, usage: usage(9, 0) }),
      { input: 9, output: 0, source: "upstream" },
    ],
    [
      "openai, streamed, an error behind the usage and before a word",
      { model: "oa/m", stream: true },
      sseAnswer(
        [{ ...chunk({}), choices: [], usage: usage(9, 5) }, { error: { message: "no", code: 400 } }].map(
          (data) => `data: ${JSON.stringify(data)}\n\n`,
        ),
      ),
      { input: 9, output: 5, source: "upstream" },
    ],
    [
      "openai, streamed, an error that has the usage",
      { model: "oa/m", stream: true },
      sseAnswer(
        [chunk({ content: "Hi" }), { error: { message: "no" }, usage: usage(9, 21) }].map(
          (data) => `data: ${JSON.stringify(data)}\n\n`,
        ),
      ),
      { input: 9, output: 21, source: "upstream", paid_input: 9, paid_output: 21, cost: 30 },
    ],
    [
      "anthropic, streamed, overloaded before a word, each of its calls",
      { model: "an/claude-sonnet-4-5", stream: true },
      events(START, OVERLOADED),
      { input: 25, output: 1, source: "upstream", paid_input: 75, paid_output: 3, cost: 156 },
    ],
    [
      "anthropic, plain, without a stop_reason",
      { model: "an/claude-sonnet-4-5" },
      jsonAnswer({ type: "message", content: [], usage: { input_tokens: 25, output_tokens: 7 } }),
      { input: 25, output: 7, source: "upstream" },
    ],
  ];
  for (const [what, body, answer, row] of CASES) {
    test(what, async () => {
      expect((await ask(body, (exchange) => exchange.send(answer))).row).toMatchObject(row);
    });
  }

  test("of a target that failed before another one answered, at its own price", async () => {
    const { status, row } = await ask({ model: "both" }, (exchange) =>
      exchange.send(
        exchange.path.includes("generateContent")
          ? jsonAnswer(MALFORMED)
          : jsonAnswer({ ...said("stop"), usage: usage(9, 3) }),
      ),
    );
    expect(status).toBe(200);
    const calls = (row.paid_input - 9) / 77;
    expect(calls).toBeGreaterThanOrEqual(1);
    expect(row).toMatchObject({ outcome: "ok", input: 9, output: 3, paid_output: 3 + 40 * calls });
    expect(row.cost).toBe(12 + calls * 234);
  });
});

describe("what was sent and left is charged its prompt, as an estimate", () => {
  test.each([true, false])("by a client that left before the first word, streamed: %p", async (stream) => {
    const leaving = new AbortController();
    const id = `left-${stream}`;
    stub.respond = () => leaving.abort();
    const asked = gateway.chat(
      { model: "oa/m", stream, messages: [{ role: "user", content: LONG }] },
      { signal: leaving.signal, headers: { "x-request-id": id } },
    );
    expect(await asked.catch(() => "left")).toBe("left");
    const row = await rowOf(id);
    expect(row).toMatchObject({ outcome: "client_abort", source: "estimated", paid_output: 0 });
    expect(row.paid_input).toBeWithin(1_900, 2_200);
    expect(row.input).toBe(row.paid_input);
    expect(row.cost).toBe(row.paid_input);
  });

  test("by a deadline", async () => {
    const messages = [{ role: "user", content: LONG }];
    const { status, row } = await ask({ model: "slow/m", stream: true, messages }, () => undefined);
    expect(status).toBe(504);
    expect(row).toMatchObject({ outcome: "upstream_error", source: "estimated", paid_output: 0 });
    expect(row.paid_input).toBeWithin(1_900, 2_200);
  });

  test("by a deadline, though another target has answered then", async () => {
    const messages = [{ role: "user", content: LONG }];
    const { status, row } = await ask({ model: "slow-both", stream: true, messages }, (exchange) => {
      if ((exchange.json() as JsonObject)["model"] !== "silent")
        exchange.send(
          sseAnswer([
            `data: ${JSON.stringify(chunk({ content: "Hi" }, "stop"))}\n\n`,
            `data: ${JSON.stringify({ ...chunk({}), choices: [], usage: usage(9, 1) })}\n\n`,
            "data: [DONE]\n\n",
          ]),
        );
    });
    expect(status).toBe(200);
    expect(row).toMatchObject({ outcome: "ok", input: 9, output: 1, source: "upstream", paid_output: 1 });
    expect(row.paid_input).toBeWithin(1_909, 2_209);
  });

  test("but not what could not be sent", async () => {
    const { row } = await ask({ model: "oa/m" }, (exchange) => exchange.reset());
    expect(row).toMatchObject({ input: null, output: null, paid_input: 0, paid_output: 0, cost: 0 });
  });

  test("nor what the upstream refused", async () => {
    const { row } = await ask({ model: "oa/m" }, (exchange) =>
      exchange.send(jsonAnswer({ error: { message: "no" } }, 400)),
    );
    expect(row).toMatchObject({ input: null, output: null, paid_input: 0, paid_output: 0, cost: 0 });
  });
});
