import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import type { ChatEvent, NativeEvent, NativeRequest } from "modelyard/plugin";
import { anthropicAt, answering, recorded } from "../../test/support/anthropic-upstream.ts";
import type { Exchange } from "../../test/support/fault-upstream.ts";
import { startFaultUpstream } from "../../test/support/fault-upstream.ts";
import { nativeRequest } from "../../test/support/native-request.ts";
import { cutAt, outcomeOf, streamOf } from "../../test/support/pieces.ts";
import { testCall } from "../../test/support/plugin-host.ts";
import { answerOf } from "./answer/answer.ts";
import { nativeAnswerOf } from "./answer/native-answer.ts";

/**
 * Messages requests that are given to the server as their client wrote them.
 * @module
 */

const STREAMS = ["text.sse", "tools.sse", "server-tools.sse", "refusal.sse"];

const read = (body: BodyInit, isStream = true) =>
  outcomeOf(nativeAnswerOf(answering(body), testCall().call, isStream));

/** The frames among events, as they go to a client. */
function framesIn(events: readonly ChatEvent[]): string {
  const frames = events.filter((event): event is NativeEvent => event.type === "native");
  return frames.map(({ name, data }) => `event: ${name}\ndata: ${data}\n\n`).join("");
}

/** The same events without the frames that they stand in. */
function flat(events: readonly ChatEvent[]): ChatEvent[] {
  return events.flatMap((event) => (event.type === "native" ? event.events : event));
}

function withoutPings(stream: string): string {
  return stream.replaceAll(/event: ping\n.*\n\n/g, "");
}

function event(type: string, fields: object = {}): string {
  return `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`;
}

function answer(exchange: Exchange, status: number, body: string): void {
  exchange.head(status, {});
  exchange.chunk(body);
  exchange.end();
}

describe("a streamed answer", () => {
  test.each(STREAMS)(
    "%s gives its frames as they came, cut anywhere, and the events of the chat",
    async (name) => {
      const bytes = recorded(name);
      const chat = await outcomeOf(answerOf(answering(bytes), testCall().call));
      await fc.assert(
        fc.asyncProperty(fc.array(fc.nat({ max: bytes.length })), async (places) => {
          const { items, error } = await read(streamOf(cutAt(bytes, places)));
          expect(error).toBeUndefined();
          expect(framesIn(items)).toBe(withoutPings(new TextDecoder().decode(bytes)));
          expect(flat(items)).toEqual(chat.items);
        }),
        { numRuns: 20 },
      );
    },
  );

  test("keeps what the API may add: events, blocks, deltas and fields", async () => {
    const stream =
      event("message_start", { message: { id: "m", model: "c", novel: { deep: [1.0] } } }) +
      event("content_block_start", { index: 0, content_block: { type: "hologram", data: "x" } }) +
      event("content_block_delta", { index: 0, delta: { type: "hologram_delta", data: "y" } }) +
      event("content_block_stop", { index: 0 }) +
      event("weather", { sun: true }) +
      event("message_delta", { delta: { stop_reason: "end_turn", mood: 1 }, usage: { output_tokens: 1 } }) +
      event("message_stop", { note: "bye" });
    const { items, error } = await read(stream);
    expect(error).toBeUndefined();
    expect(framesIn(items)).toBe(stream);
  });

  test("that fails is thrown with the API's own word, and its error is no frame", async () => {
    const { items, error } = await read(recorded("overloaded.sse"));
    expect(error).toMatchObject({ code: "unavailable", native: { type: "overloaded_error" } });
    expect(framesIn(items)).not.toContain("overloaded");
  });

  test("that breaks off is thrown, with every frame before", async () => {
    const whole = new TextDecoder().decode(recorded("text.sse"));
    const half = whole.slice(0, whole.indexOf("event: message_delta"));
    const { items, error } = await read(half);
    expect(error).toMatchObject({ code: "truncated" });
    expect(framesIn(items)).toBe(withoutPings(half));
  });

  test("without an end mark, or with another API's, gets the one that clients wait for", async () => {
    const whole = new TextDecoder().decode(recorded("text.sse"));
    const unmarked = whole.slice(0, whole.indexOf("event: message_stop"));
    for (const end of ["", "data: [DONE]\n\n"]) {
      const { items, error } = await read(unmarked + end);
      expect(error).toBeUndefined();
      expect(framesIn(items)).toBe(withoutPings(unmarked) + event("message_stop"));
    }
  });

  const begun = event("message_start", { message: { id: "m", usage: { input_tokens: 3 } } });
  const called = event("content_block_start", {
    index: 0,
    content_block: { type: "tool_use", id: "t", name: "f", input: {} },
  });
  const input = (json: string) =>
    event("content_block_delta", { index: 0, delta: { type: "input_json_delta", partial_json: json } });
  const closed = event("content_block_stop", { index: 0 });
  const ended = (reason: string) =>
    event("message_delta", { delta: { stop_reason: reason }, usage: { output_tokens: 9 } }) +
    event("message_stop");

  test.each([
    ["half", `{"x":`, closed],
    ["an array", "[1]", closed],
    ["a text", `"x"`, closed],
    ["half, and whose block is never closed", `{"x":`, ""],
    ["half, with another block behind it", `{"x":`, `${closed}${called.replace(":0", ":1")}`],
  ])("closes no call whose arguments are %s, and tells what it cost", async (_, json, stop) => {
    const before = begun + called + input(json);
    const { items, error } = await read(before + stop + ended("tool_use"));
    expect(error).toMatchObject({ code: "bad-response" });
    expect(framesIn(items)).toBe(before);
    expect(items.at(-1)).toMatchObject({ type: "usage", usage: { input: 3, output: 9 } });
  });

  test("that is cut within a call keeps all its frames, and so does one whose call needs no arguments", async () => {
    for (const whole of [
      begun + called + input(`{"x":`) + closed + ended("max_tokens"),
      begun + called + closed + ended("tool_use"),
    ]) {
      const { items, error } = await read(whole);
      expect(error).toBeUndefined();
      expect(framesIn(items)).toBe(whole);
    }
  });

  test("has told what it cost when the line is cut behind that", async () => {
    const whole = begun + called + closed + ended("tool_use");
    const told = whole.slice(0, whole.indexOf("event: message_stop"));
    const body = new ReadableStream({
      start: (controller) => controller.enqueue(new TextEncoder().encode(told)),
      pull: (controller) => controller.error(new Error("reset")),
    });
    const { items, error } = await read(body);
    expect(error).toBeDefined();
    expect(framesIn(items)).toBe(told);
  });

  test("that goes on for ever behind a broken call is the upstream's fault", async () => {
    const { error } = await read(begun + called + input("[") + closed + event("weather").repeat(200));
    expect(error).toMatchObject({ code: "bad-response" });
  });

  test("that starts twice starts once for the client", async () => {
    const whole = begun + called + closed + ended("tool_use");
    const { items, error } = await read(begun + whole);
    expect(error).toBeUndefined();
    expect(framesIn(items)).toBe(whole);
  });

  test("whose events have no names gets them", async () => {
    const whole = new TextDecoder().decode(recorded("text.sse"));
    const { items } = await read(whole.replaceAll(/event: .*\n/g, ""));
    expect(framesIn(items)).toBe(withoutPings(whole));
  });
});

describe("a plain answer", () => {
  test("is its document and the events of the chat", async () => {
    const bytes = recorded("tools.json");
    const { items } = await read(bytes, false);
    const chat = await outcomeOf(answerOf(answering(bytes), testCall().call));
    const data = new TextDecoder().decode(bytes).trim();
    expect(items).toEqual([{ type: "native", name: "document", data, events: chat.items as never }]);
  });

  test("without a reason for its end has events alone", async () => {
    const unended = JSON.stringify({
      type: "message",
      content: [{ type: "text", text: "a" }],
      stop_reason: null,
    });
    const { items, error } = await read(unended, false);
    expect(error).toBeUndefined();
    expect(items).toMatchObject([
      { type: "text", text: "a" },
      { type: "finish", reason: "stop" },
    ]);
  });

  test("that is an error is thrown", async () => {
    const failed = await read(
      JSON.stringify({ type: "error", error: { type: "api_error", message: "x" } }),
      false,
    );
    expect(failed).toMatchObject({ items: [], error: { code: "failed", native: { type: "api_error" } } });
  });
});

test.each([
  [true, "tools.json"],
  [false, "text.sse"],
] as const)(
  "asked for a stream: %p, an answer in the other form (%s) has events alone",
  async (isStream, name) => {
    const { items, error } = await read(recorded(name), isStream);
    const chat = await outcomeOf(answerOf(answering(recorded(name)), testCall().call));
    expect({ items, error }).toEqual(chat);
  },
);

describe("a request", () => {
  const BODY = `{ "model" : "mine","max_tokens":1e2, "stream":true,"novel":2512292042121000001,"messages":[{"role":"user","content":"\\u00e9"}]}`;

  /** The upstream's frames for a request, and what it was sent. */
  async function sent(request: NativeRequest, headers: Record<string, string> = {}) {
    await using upstream = await startFaultUpstream();
    upstream.respond = (exchange) => answer(exchange, 200, new TextDecoder().decode(recorded("text.sse")));
    const anthropic = anthropicAt(upstream.url, { beta: ["own-beta"], headers: { "x-team": "blue" } });
    const { call } = testCall({ headers });
    const { items, error } = await outcomeOf(await anthropic.native["anthropic-messages"](request, call));
    expect(error).toBeUndefined();
    return { items, request: upstream.requests[0] };
  }

  test("is sent as its client wrote it, with the upstream's name for the model", async () => {
    const { request } = await sent(nativeRequest(BODY, "claude-sonnet-4-5", "anthropic-messages"));
    expect(request?.path).toBe("/v1/messages");
    expect(new TextDecoder().decode(request?.body)).toBe(BODY.replace(`"mine"`, `"claude-sonnet-4-5"`));
  });

  const UNSIGNED = `{"model":"mine","messages":[{"role":"user","content":"Hi"},
    {"role":"assistant","content":[{"type":"thinking","thinking":"hm"}]},
    {"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":""},{"type":"thinking","thinking":"so","signature":"s"},
      {"type":"tool_use","id":"t","name":"f","input":{"n":2512292042121000001}}]},
    {"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":"1"}]}]}`;

  test("goes to a Claude without thinking that is not signed, and without a message of nothing else", async () => {
    const { request } = await sent(nativeRequest(UNSIGNED, "claude-sonnet-4-5", "anthropic-messages"));
    expect(new TextDecoder().decode(request?.body)).toBe(
      `{"model":"claude-sonnet-4-5","messages":[{"role":"user","content":"Hi"},` +
        `{"role":"assistant","content":[{"type":"thinking","thinking":"so","signature":"s"},` +
        `{"type":"tool_use","id":"t","name":"f","input":{"n":2512292042121000001}}]},` +
        `{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":"1"}]}]}`,
    );
  });

  test("goes to another server's model with its own thinking, which nobody signs", async () => {
    const { request } = await sent(nativeRequest(UNSIGNED, "glm-4.6", "anthropic-messages"));
    expect(new TextDecoder().decode(request?.body)).toBe(UNSIGNED.replace(`"mine"`, `"glm-4.6"`));
  });

  test("carries the client's version and features beside the configured ones, and the gateway's key", async () => {
    const headers = { "anthropic-version": "2024-01-01", "anthropic-beta": "one, two,own-beta" };
    const { request } = await sent(nativeRequest(BODY, "c", "anthropic-messages"), headers);
    expect(Object.fromEntries(request?.headers ?? [])).toMatchObject({
      "x-api-key": "sk-ant-test",
      "anthropic-version": "2024-01-01",
      "anthropic-beta": "own-beta,one,two",
      "x-team": "blue",
      "accept-encoding": "identity",
    });
  });

  test("is counted by the server's own endpoint", async () => {
    await using upstream = await startFaultUpstream();
    const anthropic = anthropicAt(upstream.url);
    const count = () =>
      anthropic.countTokens(nativeRequest(BODY, "c", "anthropic-messages"), testCall().call);
    upstream.respond = (exchange) => answer(exchange, 200, `{"input_tokens":12}`);
    expect(await count()).toBe(12);
    expect(upstream.requests[0]?.path).toBe("/v1/messages/count_tokens");
    expect(new TextDecoder().decode(upstream.requests[0]?.body)).toContain(`"novel":2512292042121000001`);
    upstream.respond = (exchange) => answer(exchange, 200, `{"tokens":12}`);
    await expect(count()).rejects.toMatchObject({ code: "bad-response" });
    upstream.respond = (exchange) =>
      answer(exchange, 429, `{"type":"error","error":{"type":"rate_limit_error","message":"slow down"}}`);
    await expect(count()).rejects.toMatchObject({
      code: "rate-limited",
      native: { type: "rate_limit_error" },
    });
    const other = nativeRequest(BODY, "c", "openai-responses");
    await expect(anthropic.countTokens(other, testCall().call)).rejects.toMatchObject({
      code: "unsupported",
    });
  });
});
