import { Database } from "bun:sqlite";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import Anthropic from "@anthropic-ai/sdk";
import { startGateway, TEST_KEY } from "../support/gateway.ts";
import { checkStream } from "../support/message-frames.ts";
import type { MessagesGateway } from "../support/messages-gateway.ts";
import {
  answer,
  ASKED,
  recordedText,
  SERVED,
  startMessages,
  withoutPings,
} from "../support/messages-gateway.ts";
import { until } from "../support/until.ts";

/**
 * A Messages client in front of a server that speaks the API itself: bytes in are bytes out, frames come as they are.
 * @module
 */

/** A key for the model that the tests ask for, and for no other. */
const FEW_KEY = "sk-test-few-9876543210";
const OTHER_KEY = "sk-test-9876543210";
const CONFIG = `
keys:
  - { name: test, key: ${TEST_KEY} }
  - { name: other, key: ${OTHER_KEY} }
  - { name: few, key: ${FEW_KEY}, models: [${ASKED}] }
cache: { scope: shared }
`;
/** A plugin whose server speaks the API for some of its models only. */
const HALF = `
import { definePlugin, Type, UpstreamError } from "modelyard/plugin";
export default definePlugin({
  apiVersion: 1,
  name: "half",
  options: Type.Object({}, { additionalProperties: false }),
  open: () => ({
    models: async () => [{ id: "half-1" }],
    async *chat() {
      yield { type: "text", text: "translated" };
      yield { type: "usage", usage: { input: 1, output: 1 } };
      yield { type: "finish", reason: "stop" };
    },
    native: {
      "anthropic-messages": async () => {
        throw new UpstreamError("unsupported", "not for this model");
      },
    },
  }),
});
`;
const STREAM = recordedText("tools.sse");

let stage: MessagesGateway;
let client: Anthropic;

beforeAll(async () => {
  stage = await startMessages(CONFIG);
  client = new Anthropic({ baseURL: stage.gateway.url, apiKey: TEST_KEY, maxRetries: 0 });
});

afterAll(() => stage[Symbol.asyncDispose]());

beforeEach(() => {
  stage.anthropic.respond = (exchange) =>
    answer(
      exchange,
      recordedText((exchange.json() as { stream?: boolean }).stream ? "tools.sse" : "tools.json"),
    );
});

let asked = 0;

/** A question that was not asked before. */
function question(fields: object = {}): Anthropic.MessageCreateParamsNonStreaming {
  const content = `Question ${(asked += 1)}`;
  return { model: ASKED, max_tokens: 1024, messages: [{ role: "user", content }], ...fields };
}

function lastBody(): string {
  return new TextDecoder().decode(stage.anthropic.requests.at(-1)?.body);
}

describe("a request", () => {
  test("reaches the server as it was written, with all that no gateway knows, and its answer comes as it was", async () => {
    const body = `{ "model":"${ASKED}", "max_tokens" : 1e3,"stream":true, "novel": {"n": 2512292042121000001},
      "messages":[{"role":"user","content":[{"type":"hologram","data":"\\u00e9"},{"type":"text","text":"Hi"}]},
      {"role":"observer","content":[{"type":"novel_block"}]}],"tools":[{"type":"novel_20300101","name":"novel"}]}`;
    const response = await stage.ask(body, {
      "anthropic-beta": "novel-2030",
      "anthropic-version": "2030-01-01",
    });
    expect(await response.text()).toBe(withoutPings(STREAM));
    expect(lastBody()).toBe(body.replace(`"${ASKED}"`, `"${SERVED}"`));
    expect(Object.fromEntries(stage.anthropic.requests.at(-1)?.headers ?? [])).toMatchObject({
      "anthropic-beta": "novel-2030",
      "anthropic-version": "2030-01-01",
      "x-api-key": "sk-ant-0123456789",
    });
    expect(response.headers.get("x-modelyard-upstream")).toBe("first");
  });

  test("may give back what another target thought, which is left out and named", async () => {
    const thinking = { type: "thinking", thinking: "hm", signature: "" };
    const said = { role: "assistant", content: [thinking, { type: "text", text: "Yes." }] };
    const messages = [{ role: "user", content: "Hi" }, said, { role: "user", content: "And?" }];
    const response = await stage.ask(question({ messages }));
    await response.text();
    expect(response.headers.get("x-modelyard-ignored")).toBe("messages[].thinking");
    const sent = JSON.parse(lastBody()) as { messages: unknown };
    expect(sent.messages).toEqual([messages[0], { ...said, content: said.content.slice(1) }, messages[2]]);
  });

  test.each([true, false])("names no fallback that its key may not use (stream: %p)", async (stream) => {
    const { requests } = stage.anthropic;
    const before = requests.length;
    const asking = (model: string, key: string) =>
      stage.ask(question({ stream, fallbacks: [{ model: ASKED }, { model }] }), { "x-api-key": key });
    const refused = await asking("claude-opus-4-8", FEW_KEY);
    expect([refused.status, await refused.json()]).toMatchObject([
      403,
      { error: { type: "permission_error", message: expect.stringContaining("claude-opus-4-8") } },
    ]);
    expect(requests.length).toBe(before);
    for (const [model, key] of [
      ["claude-opus-4-8", TEST_KEY],
      [ASKED, FEW_KEY],
    ] as const) {
      expect((await asking(model, key)).status).toBe(200);
      expect(lastBody()).toContain(`"fallbacks":[{"model":"${ASKED}"},{"model":"${model}"}]`);
    }
  });

  test("of 512 KiB is parsed once, and never written anew", async () => {
    const body = JSON.stringify(question({ system: "x".repeat(512 * 1024), stream: true }));
    stage.anthropic.respond = (exchange) => answer(exchange, STREAM);
    const { parse, stringify } = JSON;
    const large: string[] = [];
    JSON.parse = (text: string, ...rest: []) => {
      if (text.length > 100_000) large.push("parse");
      return parse(text, ...rest) as unknown;
    };
    JSON.stringify = (value: unknown, ...rest: []) => {
      const text = stringify(value, ...rest);
      if (text?.length > 100_000) large.push("stringify");
      return text;
    };
    try {
      expect(await (await stage.ask(body)).text()).toBe(withoutPings(STREAM));
    } finally {
      Object.assign(JSON, { parse, stringify });
    }
    expect(large).toEqual(["parse"]);
  });
});

describe("the official client", () => {
  test("reads a stream, raw and put together, and a plain answer", async () => {
    const whole = JSON.parse(recordedText("tools.json")) as Anthropic.Message;
    const plain = await client.messages.create(question());
    expect(JSON.parse(JSON.stringify(plain))).toMatchObject({
      id: whole.id,
      content: whole.content as never,
    });
    const events: string[] = [];
    for await (const event of await client.messages.create({ ...question(), stream: true }))
      events.push(event.type);
    expect(events).toEqual(checkStream(withoutPings(STREAM)).frames.map(({ event }) => event));
    const { content, stop_reason } = await client.messages.stream(question()).finalMessage();
    expect([content.length > 1, stop_reason]).toEqual([true, "tool_use"]);
  });

  test("is told a reason for the end of a plain answer that has none", async () => {
    const { stop_reason: _, ...unended } = JSON.parse(recordedText("tools.json")) as Anthropic.Message;
    stage.anthropic.respond = (exchange) =>
      answer(exchange, JSON.stringify({ ...unended, stop_reason: null }));
    const { content, stop_reason } = await client.messages.create(question());
    expect([content.length, stop_reason]).toEqual([unended.content.length, "tool_use"]);
  });

  test("gets a plain answer byte by byte", async () => {
    const body = await (await stage.ask(question())).text();
    expect(body).toBe(recordedText("tools.json").trim());
  });
});

describe("a failure", () => {
  const overloaded = { type: "error", error: { type: "overloaded_error", message: "Overloaded" } };
  const start = STREAM.slice(0, STREAM.indexOf("event: content_block_start"));
  const failure = `event: error\ndata: ${JSON.stringify(overloaded)}\n\n`;

  test("before the first word leads to the next target, whose answer is translated", async () => {
    stage.anthropic.respond = (exchange) => answer(exchange, start + failure);
    const response = await stage.ask(question({ stream: true }));
    const { faults, blocks, end } = checkStream(await response.text());
    expect([faults, blocks.map(({ text }) => text), end]).toEqual([[], ["Hello there!"], "stop"]);
    expect(response.headers.get("x-modelyard-upstream")).toBe("second");
  });

  test("within the answer ends it in the API's own words, behind the frames that came", async () => {
    const half = STREAM.slice(0, STREAM.indexOf("event: message_delta"));
    stage.anthropic.respond = (exchange) => answer(exchange, half + failure);
    expect(await (await stage.ask(question({ stream: true }))).text()).toBe(withoutPings(half) + failure);
  });

  test("of a connection is told behind the frames that came, and no frame of an end", async () => {
    const whole = recordedText("text.sse");
    const unmarked = whole.slice(0, whole.indexOf("event: message_stop"));
    stage.anthropic.respond = (exchange) => answer(exchange, unmarked);
    // With its reason and nothing behind it, the answer is whole: the frame that clients wait for is added.
    expect(await (await stage.ask(question({ stream: true }))).text()).toBe(withoutPings(whole));
    const shorter = whole.slice(0, whole.indexOf("event: message_delta"));
    stage.anthropic.respond = (exchange) => answer(exchange, shorter);
    const text = await (await stage.ask(question({ stream: true }))).text();
    expect(text).toStartWith(withoutPings(shorter));
    const { end, faults, stopReason } = checkStream(text);
    expect({ end, faults, stopReason }).toEqual({ end: "error", faults: [], stopReason: undefined });
  });

  test("of a call that can't be run is told before the call is closed", async () => {
    const broken = STREAM.replace(`celsius\\"}"`, `celsius\\""`);
    expect(broken.length).toBe(STREAM.length - 1);
    stage.anthropic.respond = (exchange) => answer(exchange, broken);
    const text = await (await stage.ask(question({ stream: true }))).text();
    const { end, stopReason, blocks } = checkStream(text);
    const city = blocks.find(({ text }) => text.includes("celsius"));
    expect([end, stopReason, city?.isClosed]).toEqual(["error", undefined, false]);
  });

  test("of every target is told by its status, in the words of the one that says most", async () => {
    const tooLong = {
      type: "error",
      error: { type: "invalid_request_error", message: "prompt is too long: 9 > 8" },
    };
    stage.anthropic.respond = (exchange) => answer(exchange, JSON.stringify(tooLong), 400);
    const response = await stage.ask(question());
    expect([response.status, await response.json()]).toMatchObject([400, tooLong]);
    stage.anthropic.respond = (exchange) => answer(exchange, JSON.stringify(overloaded), 529);
    const only = await stage.ask(question({ model: `first/${SERVED}` }));
    expect([only.status, await only.json()]).toMatchObject([529, overloaded]);
  });

  test("is told with the details by which the official client goes on", async () => {
    const lost = {
      type: "error",
      error: {
        type: "invalid_request_error",
        message: "no such thread",
        details: { error_code: "thread_not_found", at: [{ key: "sk-ant-0123456789" }] },
      },
    };
    stage.anthropic.respond = (exchange) => answer(exchange, JSON.stringify(lost), 400);
    const response = await stage.ask(question({ model: `first/${SERVED}` }));
    const { error } = (await response.json()) as { error: { details: object } };
    expect(error.details).toEqual({ error_code: "thread_not_found", at: [{ key: "[redacted]" }] });
  });

  test("of the gateway's own key is not told as the client's", async () => {
    const refused = { type: "error", error: { type: "authentication_error", message: "invalid x-api-key" } };
    stage.anthropic.respond = (exchange) => answer(exchange, JSON.stringify(refused), 401);
    const response = await stage.ask(question({ model: `first/${SERVED}` }));
    const body = JSON.stringify(await response.json());
    expect([response.status, body]).toEqual([529, expect.not.stringContaining("authentication_error")]);
  });
});

test("the server counts the tokens of a request as it was written, and its refusal is told in its words", async () => {
  const count = (body: object) =>
    fetch(`${stage.gateway.baseURL}/messages/count_tokens`, {
      method: "POST",
      headers: { "x-api-key": TEST_KEY, "content-type": "application/json", "anthropic-beta": "novel" },
      body: JSON.stringify(body),
    });
  const { max_tokens: _, ...body } = question({ system: [{ type: "novel", n: 1 }] });
  stage.anthropic.respond = (exchange) => answer(exchange, `{"input_tokens":4321}`);
  const response = await count(body);
  expect(await response.json()).toEqual({ input_tokens: 4321 });
  const { path, headers } = stage.anthropic.requests.at(-1) ?? {};
  expect([path, new Map(headers).get("anthropic-beta")]).toEqual(["/v1/messages/count_tokens", "novel"]);
  expect(JSON.parse(lastBody())).toEqual({ ...body, model: SERVED });
  const refusal = { type: "error", error: { type: "novel_error", message: "system: no" } };
  stage.anthropic.respond = (exchange) => answer(exchange, JSON.stringify(refusal), 400);
  const refused = await count(body);
  expect([refused.status, await refused.json()]).toMatchObject([400, refusal]);
});

test("an upstream that can't do it in the API is asked as a chat", async () => {
  await using gateway = await startGateway("upstreams: { half: { plugin: ./half.ts } }\n", {
    files: { "half.ts": HALF },
  });
  const headers = { "x-api-key": TEST_KEY, "content-type": "application/json" };
  const body = JSON.stringify(question({ model: "half-1", stream: true }));
  const response = await fetch(`${gateway.baseURL}/messages`, { method: "POST", headers, body });
  const { blocks, faults, end } = checkStream(await response.text());
  expect([blocks.map(({ text }) => text), faults, end]).toEqual([["translated"], [], "stop"]);
});

describe("the cache", () => {
  const same = () => question({ temperature: 0, stream: true, metadata: { user_id: "a" } });

  async function asking(body: object, headers: Record<string, string> = {}) {
    const response = await stage.ask(body, headers);
    return { text: await response.text(), cache: response.headers.get("x-modelyard-cache") };
  }

  test("gives the same frames again, to every key that shares it", async () => {
    const body = same();
    const frames = withoutPings(STREAM);
    expect(await asking(body)).toEqual({ text: frames, cache: "miss" });
    expect(await asking(body, { "x-api-key": OTHER_KEY })).toEqual({ text: frames, cache: "hit" });
  });

  test.each([
    ["a thread", { thread: { type: "create" } }],
    ["a container", { container: "c" }],
    ["how an earlier answer's prompt was cached", { diagnostics: { previous_message_id: "msg_1" } }],
    ["a tool that the server runs", { tools: [{ type: "web_search_20250305", name: "web_search" }] }],
  ])("keeps no answer that stands for more than the request: %s", async (_, fields) => {
    const body = { ...same(), ...fields };
    expect([(await asking(body)).cache, (await asking(body)).cache]).toEqual(["bypass", "bypass"]);
  });

  test.each<[string, object, Record<string, string>]>([
    ["another metadata", { metadata: { user_id: "b" } }, {}],
    ["another form", { stream: false }, {}],
    ["another beta", {}, { "anthropic-beta": "other" }],
    ["another version", {}, { "anthropic-version": "2030-01-01" }],
    ["a member that no gateway knows", { novel: 1 }, {}],
  ])("gives nobody the answer to %s, done or under way", async (_, fields, headers) => {
    const body = same();
    const gate = Promise.withResolvers<void>();
    const { respond, requests } = stage.anthropic;
    const before = requests.length;
    stage.anthropic.respond = async (exchange) => {
      await gate.promise;
      await respond(exchange);
    };
    const first = asking(body);
    const second = asking({ ...body, ...fields }, { "x-api-key": OTHER_KEY, ...headers });
    await until(() => requests.length === before + 2, "both to be asked for");
    gate.resolve();
    expect([(await first).cache, (await second).cache]).toEqual(["miss", "miss"]);
    expect((await asking(body)).cache).toBe("hit");
    expect(requests.length).toBe(before + 2);
  });

  test("lets the same request share an answer that is under way", async () => {
    const body = same();
    const gate = Promise.withResolvers<void>();
    const { respond, requests } = stage.anthropic;
    const before = requests.length;
    stage.anthropic.respond = async (exchange) => {
      await gate.promise;
      await respond(exchange);
    };
    const both = [asking(body), asking(body, { "x-api-key": OTHER_KEY })];
    await until(() => requests.length === before + 1 && stage.gateway.gateway.inFlight.running === 2, "both");
    gate.resolve();
    const [one, other] = await Promise.all(both);
    expect([one?.cache, other?.cache, one?.text === other?.text, one?.text]).toEqual([
      "miss",
      "follow",
      true,
      withoutPings(STREAM),
    ]);
  });
});

test("the ledger's rows are those of the chat way, but for the endpoint", async () => {
  const { model, messages } = question();
  const chat = (stream: boolean) =>
    stage.gateway.chat({ model, messages, stream }, { headers: { "x-request-id": `chat-${stream}` } });
  for (const stream of [true, false]) {
    await (await stage.ask(question({ stream }), { "x-request-id": `native-${stream}` })).text();
    await (await chat(stream)).text();
  }
  using database = new Database(join(stage.gateway.directory, "data/modelyard.db"));
  const columns =
    "endpoint, upstream_model, outcome, attempts, cache, input, output, cached_input, cache_write, reasoning, usage_source, cost";
  const row = (id: string) => database.query(`SELECT ${columns} FROM requests WHERE request = ?`).get(id);
  await until(() => row("chat-false") !== null && row("native-true") !== null, "the rows");
  for (const stream of [true, false]) {
    const native = row(`native-${stream}`) as { input: number; endpoint: string };
    expect(native).toMatchObject({ endpoint: "/v1/messages", outcome: "ok", usage_source: "upstream" });
    expect(native.input).toBeGreaterThan(0);
    expect({ ...native, endpoint: "/v1/chat/completions" }).toEqual(row(`chat-${stream}`) as never);
  }
});
