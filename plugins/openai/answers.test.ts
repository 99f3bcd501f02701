import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { ChatEvent, Json } from "modelyard/plugin";
import {
  jsonAnswer,
  openaiChunks,
  openaiCompletion,
  sseAnswer,
  startFaultUpstream,
} from "../../test/support/fault-upstream.ts";
import type { Exchange, FaultUpstream } from "../../test/support/fault-upstream.ts";
import { answerOf, answerTo, asking, openaiWith } from "../../test/support/openai-upstream.ts";
import type { OpenedUpstream } from "../../test/support/openai-upstream.ts";
import { testCall } from "../../test/support/plugin-host.ts";

/**
 * What real servers send, over real connections, through the plugin.
 * @module
 */
let server: FaultUpstream;
let opened: OpenedUpstream;
beforeEach(async () => {
  server = await startFaultUpstream();
  opened = await openaiWith({ base_url: server.url });
});
afterEach(async () => {
  await opened[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

const DONE = "data: [DONE]\n\n";
const frame = (chunk: Json): string => `data: ${JSON.stringify(chunk)}\n\n`;
const delta = (said: Json, finish_reason: string | null = null): Json => ({
  choices: [{ index: 0, delta: said, finish_reason }],
});
const SAID = frame(delta({ role: "assistant", content: "Hello" }));
const STOP = frame(delta({}, "stop"));
const HELLO: readonly ChatEvent[] = [
  { type: "text", text: "Hello" },
  { type: "finish", reason: "stop" },
];

/** What a streamed request is answered with when the server says this. */
async function streamed(...frames: string[]): ReturnType<typeof answerTo> {
  server.respond = (exchange) => exchange.send(sseAnswer(frames));
  return answerTo(opened.upstream, { stream: true });
}

function textOf(items: readonly ChatEvent[]): string {
  return items.map((event) => (event.type === "text" ? event.text : "")).join("");
}

describe("a stream is understood", () => {
  test.each<[string, string[]]>([
    ["as OpenAI sends it", [SAID, STOP, DONE]],
    ["with comments", [": OPENROUTER PROCESSING\n\n", ":\n", SAID, ": ping\n\n", STOP, DONE]],
    ["with CRLF", [SAID, STOP, DONE].map((each) => each.replaceAll("\n", "\r\n"))],
    ["with CR", [SAID, STOP, DONE].map((each) => each.replaceAll("\n", "\r"))],
    ["without a space after `data:`", [SAID, STOP, DONE].map((each) => each.replace("data: ", "data:"))],
    ["with event names and ids", [`id: 1\nevent: message\n${SAID}`, `id: 2\nretry: 5\n${STOP}`, DONE]],
    ["without [DONE] after the last finish_reason", [SAID, STOP]],
    ["without its last line ends", [SAID, STOP.trimEnd()]],
    ["with a delta in its last chunk", [frame(delta({ content: "Hello" }, "stop")), DONE]],
    ["with deltas after the finish", [SAID, STOP, frame(delta({ content: "" })), STOP, DONE]],
    [
      "with null fields",
      [
        frame({
          id: null,
          usage: null,
          system_fingerprint: null,
          choices: [
            {
              index: 0,
              delta: { role: null, content: "Hello", tool_calls: null, refusal: null, function_call: null },
              logprobs: null,
              finish_reason: null,
            },
          ],
        }),
        STOP,
        DONE,
      ],
    ],
    [
      "with empty deltas and empty data",
      [
        "data:\n\n",
        frame({ choices: [] }),
        frame(delta({ content: null })),
        SAID,
        frame({ choices: [{ index: 0, delta: null }] }),
        STOP,
        DONE,
      ],
    ],
    ["in one packet", [SAID + STOP + DONE]],
    ["after blanks", ["\n\n  \n", SAID, STOP, DONE]],
  ])("%s", async (_, frames) => {
    expect(await streamed(...frames)).toEqual({ items: HELLO, error: undefined });
  });

  test("with usage in each chunk, or in one without choices", async () => {
    const usage = { prompt_tokens: 3, completion_tokens: 1, total_tokens: 4 };
    const each = await streamed(frame({ ...(delta({ content: "Hello" }) as object), usage }), STOP, DONE);
    const last = await streamed(SAID, STOP, frame({ choices: [], usage }), DONE);
    for (const { items, error } of [each, last]) {
      expect(error).toBeUndefined();
      expect(items).toContainEqual({ type: "usage", usage: { input: 3, output: 1, raw: usage } });
      expect(textOf(items)).toBe("Hello");
    }
  });

  test("with reasoning under either name, or both", async () => {
    for (const said of [
      { reasoning_content: "hm" },
      { reasoning: "hm" },
      { reasoning: "hm", reasoning_content: "hm" },
      { reasoning: "hm", content: "" },
    ]) {
      const { items, error } = await streamed(frame(delta(said)), SAID, STOP, DONE);
      expect(error).toBeUndefined();
      expect(items).toEqual([{ type: "reasoning", text: "hm" }, ...HELLO]);
    }
  });

  test("with a character cut between two packets", async () => {
    const text = "Łódź \u{1F600} 日本";
    const bytes = Buffer.from(frame(delta({ content: text })) + STOP + DONE);
    server.respond = async (exchange) => {
      exchange.head(200, { "content-type": "text/event-stream" });
      for (const byte of bytes) {
        exchange.chunk(new Uint8Array([byte]));
        await exchange.flushed();
      }
      exchange.end();
    };
    const { items, error } = await answerTo(opened.upstream, { stream: true });
    expect([textOf(items), error]).toEqual([text, undefined]);
  });

  test("with an event of 8 MB", async () => {
    const text = "8 MB ".repeat((8 * 1024 * 1024) / 5);
    const { items, error } = await streamed(frame(delta({ content: text })), STOP, DONE);
    expect(error).toBeUndefined();
    expect(textOf(items) === text).toBe(true);
  });

  test("with several tool calls at once", async () => {
    const calls = (...tool_calls: Json[]): string => frame(delta({ tool_calls }));
    const { items } = await streamed(
      calls(
        { index: 0, id: "a", type: "function", function: { name: "f", arguments: "" } },
        { index: 1, id: "b", type: "function", function: { name: "g", arguments: "" } },
      ),
      calls({ index: 1, function: { arguments: "{}" } }, { index: 0, function: { arguments: "[]" } }),
      frame(delta({}, "tool_calls")),
      DONE,
    );
    expect(items).toEqual([
      { type: "tool-call", index: 0, id: "a", name: "f", arguments: "" },
      { type: "tool-call", index: 1, id: "b", name: "g", arguments: "" },
      { type: "tool-call", index: 1, arguments: "{}" },
      { type: "tool-call", index: 0, arguments: "[]" },
      { type: "finish", reason: "tool_calls" },
    ]);
  });

  test("with several keys as with one, in batches as they come", async () => {
    await using several = await openaiWith({ base_url: server.url, api_keys: [{ key: "a" }, { key: "b" }] });
    server.respond = (exchange) => exchange.send(sseAnswer([SAID, STOP, DONE]));
    expect(await answerTo(several.upstream, { stream: true })).toEqual({ items: HELLO, error: undefined });
    const stream = await several.upstream.chat(asking({ stream: true }), testCall().call);
    expect((await stream.batches?.().next())?.value).toEqual(HELLO);
  });
});

describe("an answer in the other form is understood", () => {
  test("JSON for a stream", async () => {
    server.respond = (exchange) => exchange.send(jsonAnswer(openaiCompletion("Hello")));
    const { items, error } = await answerTo(opened.upstream, { stream: true });
    expect([textOf(items), error]).toEqual(["Hello", undefined]);
  });

  test("a stream for JSON", async () => {
    server.respond = (exchange) => exchange.send(sseAnswer([SAID, STOP, DONE]));
    expect(await answerTo(opened.upstream)).toEqual({ items: HELLO, error: undefined });
  });
});

describe("a compressed answer is understood:", () => {
  const compressed = (type: string, body: string) => (exchange: Exchange) => {
    exchange.head(200, { "content-type": type, "content-encoding": "gzip" });
    exchange.chunk(Bun.gzipSync(Buffer.from(body)));
    exchange.end();
  };

  test("JSON", async () => {
    server.respond = compressed("application/json", JSON.stringify(openaiCompletion("Hello")));
    expect(textOf((await answerTo(opened.upstream)).items)).toBe("Hello");
    expect(server.requests[0]?.headers.get("accept-encoding")).toContain("gzip");
  });

  test("a stream, though none was asked for", async () => {
    server.respond = compressed("text/event-stream", SAID + STOP + DONE);
    expect(await answerTo(opened.upstream, { stream: true })).toEqual({ items: HELLO, error: undefined });
    expect(server.requests[0]?.headers.get("accept-encoding")).toBe("identity");
  });
});

describe("a failure is one:", () => {
  test.each<[string, string[], string]>([
    [
      "an error object in the stream",
      [SAID, frame({ error: { message: "boom", code: 502 } }), DONE],
      "failed",
    ],
    [
      "an overload before the first word",
      [frame({ error: { message: "busy", type: "overloaded_error" } })],
      "unavailable",
    ],
    ["finish_reason error", [SAID, frame(delta({}, "error")), DONE], "model-failed"],
    [
      "an error within a choice",
      [SAID, frame({ choices: [{ index: 0, delta: {}, error: { message: "no" } }] })],
      "failed",
    ],
    ["an error event", [SAID, `event: error\n${frame({ message: "no" })}`], "failed"],
    ["an end without finish_reason", [SAID], "truncated"],
    ["[DONE] without finish_reason", [SAID, DONE], "truncated"],
    ["nothing", [], "bad-response"],
    ["what isn't JSON", [SAID, "data: {broken\n\n", STOP, DONE], "bad-response"],
    ["a page", ["<html><title>Sign in</title></html>"], "bad-response"],
  ])("%s", async (_, frames, code) => {
    const { items, error } = await streamed(...frames);
    expect(error).toMatchObject({ name: "UpstreamError", code });
    expect(items.some(({ type }) => type === "finish")).toBe(false);
  });

  test("one of two choices that doesn't finish", async () => {
    server.respond = (exchange) => exchange.send(sseAnswer([SAID, STOP]));
    const { error } = await answerTo(opened.upstream, { stream: true, n: 2 });
    expect(error).toMatchObject({ code: "truncated" });
  });

  test.each([
    [400, { error: { message: "bad", param: "messages[0].content" } }, "bad-request"],
    [400, { error: { message: "x", code: "context_length_exceeded" } }, "context-length"],
    [401, { error: { message: "wrong key" } }, "rejected"],
    [404, { error: { message: "The model `x` does not exist", code: "model_not_found" } }, "no-such-model"],
    [429, { error: { message: "slow down" } }, "rate-limited"],
    [500, "oops", "failed"],
    [503, { error: { message: "loading" } }, "unavailable"],
  ] as const)("status %d with %j", async (status, body, code) => {
    server.respond = (exchange) => exchange.send(jsonAnswer(body, status, { "retry-after": "7" }));
    const { error } = await answerTo(opened.upstream);
    expect(error).toMatchObject({ code, retryAfterMs: 7000 });
  });

  test("a server that isn't there", async () => {
    await using gone = await openaiWith({ base_url: "http://127.0.0.1:1/v1" });
    expect((await answerTo(gone.upstream)).error).toMatchObject({ code: "unreachable" });
  });
});

describe("leaving ends the server's connection", () => {
  test("before the headers", async () => {
    const come = Promise.withResolvers<Exchange>();
    server.respond = come.resolve;
    const leaver = testCall();
    const answering = answerOf(opened.upstream.chat(asking({ stream: true }), leaver.call) as Promise<never>);
    const { closed } = await come.promise;
    leaver.abort(new Error("left"));
    await closed;
    expect((await answering).error).toMatchObject({ message: "left" });
  });

  test("within the answer", async () => {
    server.respond = (exchange) => {
      exchange.head(200, { "content-type": "text/event-stream" });
      exchange.chunk(SAID);
    };
    const stream = await opened.upstream.chat(asking({ stream: true }), testCall().call);
    for await (const event of stream) {
      expect(event).toEqual(HELLO[0]!);
      break;
    }
    expect(await server.requests[0]?.closed).toBeNumber();
  });
});

test("a whole chunked stream of OpenAI's comes out as it went in", async () => {
  const usage = { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 };
  const { items } = await streamed(...openaiChunks("Hello there!", { usage }));
  expect(items).toEqual([
    {
      type: "extra",
      at: "chunk",
      fields: { id: "chatcmpl-1", created: 1_700_000_000, model: "gpt-4o-mini" },
    },
    { type: "text", text: "Hello" },
    { type: "text", text: " ther" },
    { type: "text", text: "e!" },
    { type: "finish", reason: "stop" },
    { type: "usage", usage: { input: 1, output: 2, raw: usage } },
  ]);
});
