import { afterAll, expect, test } from "bun:test";
import type { Answers } from "../support/scripted-gateway.ts";
import { HELLO, say, spent, startScripted, stop } from "../support/scripted-gateway.ts";
import { readFrames, textOf } from "../support/sse-frames.ts";

/**
 * Streams as the strictest clients want each of their chunks.
 * @module
 */
const ANSWERS: Answers = {
  hello: HELLO,
  rich: [
    { type: "usage", usage: { input: 4, output: 1 } },
    { type: "reasoning", text: "Hm. " },
    say("One call:\n\n"),
    { type: "usage", usage: { input: 4, output: 5 } },
    { type: "tool-call", index: 3, id: "call_x", name: "look", arguments: '{"q":' },
    { type: "tool-call", index: 3, id: "call_x", name: "look", arguments: '"\\n"}' },
    { type: "tool-call", index: 4, arguments: '{"early":' },
    { type: "tool-call", index: 4, name: "write", arguments: "true}" },
    { type: "finish", reason: "stop", native: "end_turn" },
    spent(4, 9),
  ],
  empty: [stop()],
  "breaks-off": [say("Once upon"), { fail: "failed", message: "the engine\ncaught fire" }],
};

const gateway = await startScripted(ANSWERS);
afterAll(() => gateway[Symbol.asyncDispose]());

const QUESTION = { messages: [{ role: "user", content: "Well?" }] };

function post(model: string, extra: object = {}, headers: Record<string, string> = {}): Promise<Response> {
  return gateway.chat({ model, ...QUESTION, ...extra }, { headers });
}

test("their headers keep proxies from holding them back", async () => {
  const response = await post("hello", { stream: true }, { accept: "application/json" });
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
  expect(response.headers.get("cache-control")).toBe("no-cache, no-transform");
  expect(response.headers.get("x-accel-buffering")).toBe("no");
  expect(response.headers.get("content-length")).toBeNull();
  await response.text();
});

test("each frame is one data line of JSON that has all that clients require, and [DONE] is the last", async () => {
  const frames = await readFrames(await post("rich", { stream: true }));
  for (const chunk of frames.chunks) {
    expect(chunk).toMatchObject({
      id: frames.chunks[0]?.id,
      object: "chat.completion.chunk",
      created: frames.chunks[0]?.created,
      model: "rich",
    });
    expect(chunk.choices).toHaveLength(1);
    expect(chunk.choices[0]?.index).toBe(0);
    expect(Number.isInteger(chunk.created)).toBeTrue();
    expect("usage" in chunk).toBeFalse();
  }
  expect(frames.data.indexOf("[DONE]")).toBe(frames.data.length - 1);
  expect(frames.text).not.toContain("\r");
});

test("usage comes once, in a chunk without choices right before [DONE], if it was asked for", async () => {
  const asked = await readFrames(
    await post("rich", { stream: true, stream_options: { include_usage: true } }),
  );
  expect(asked.chunks.filter(({ choices }) => choices.length === 0)).toHaveLength(1);
  expect(asked.chunks.filter((chunk) => chunk.usage)).toHaveLength(1);
  // OpenAI says in each chunk before that there is none yet.
  expect(asked.chunks.length).toBeGreaterThan(3);
  expect(asked.chunks.slice(0, -1).every((chunk) => chunk.usage === null)).toBeTrue();
  expect(asked.chunks.at(-1)).toMatchObject({
    choices: [],
    usage: { prompt_tokens: 4, completion_tokens: 9, total_tokens: 13 },
  });
  expect(asked.data.at(-1)).toBe("[DONE]");
  for (const options of [{ include_usage: false }, { include_usage: null }, {}, null]) {
    const unasked = await readFrames(await post("rich", { stream: true, stream_options: options }));
    expect(unasked.chunks.filter(({ choices }) => choices.length === 0)).toEqual([]);
    expect(unasked.chunks.some((chunk) => "usage" in chunk)).toBeFalse();
  }
});

test("a tool call's id, type and name stand in its first delta only, one call a chunk", async () => {
  const { chunks } = await readFrames(await post("rich", { stream: true }));
  const deltas = chunks.flatMap(({ choices }) => choices[0]?.delta.tool_calls ?? []);
  expect(chunks.every(({ choices }) => (choices[0]?.delta.tool_calls?.length ?? 0) <= 1)).toBeTrue();
  expect(deltas).toEqual([
    { index: 0, id: "call_x", type: "function", function: { name: "look", arguments: '{"q":' } },
    { index: 0, function: { arguments: '"\\n"}' } },
    {
      index: 1,
      id: expect.stringMatching(/^call_\w+$/),
      type: "function",
      function: { name: "write", arguments: '{"early":true}' },
    },
  ]);
  expect(chunks.at(-1)?.choices[0]).toMatchObject({
    finish_reason: "tool_calls",
    native_finish_reason: "end_turn",
  });
});

test("no delta has reasoning and text, and the role stands in the first one only", async () => {
  const { chunks } = await readFrames(await post("rich", { stream: true }));
  const deltas = chunks.map(({ choices }) => choices[0]?.delta as object);
  expect(deltas.filter((delta) => "reasoning_content" in delta && "content" in delta)).toEqual([]);
  expect(deltas.map((delta) => "role" in delta).indexOf(true)).toBe(0);
  expect(deltas.filter((delta) => "role" in delta)).toHaveLength(1);
});

test("an empty answer is still an answer", async () => {
  const frames = await readFrames(await post("empty", { stream: true }));
  expect(frames.chunks.at(-1)?.choices[0]?.finish_reason).toBe("stop");
  expect(frames.data.at(-1)).toBe("[DONE]");
  const plain = (await (await post("empty")).json()) as { choices: unknown[] };
  expect(plain.choices).toMatchObject([{ message: { role: "assistant", content: "" } }]);
});

test("a failure in mid-stream is one error frame with a text, and no [DONE]", async () => {
  const frames = await readFrames(await post("breaks-off", { stream: true }));
  expect(textOf({ ...frames, chunks: frames.chunks.slice(0, -1) })).toBe("Once upon");
  expect(JSON.parse(frames.data.at(-1) ?? "")).toEqual({
    error: {
      message: "the engine\ncaught fire",
      type: "server_error",
      param: null,
      code: "upstream_error",
    },
  });
  expect(frames.text).not.toContain("[DONE]");
  expect(frames.text).not.toContain('"finish_reason":"');
});

test("early headers: a stream that is long in coming is a 200 with comments, and its failure a frame", async () => {
  const limits = { earlyHeaders: 5, heartbeat: 5 };
  const upstream = { timeouts: { first_event: "200ms" } };
  await using patient = await startScripted({ silent: [{ hang: true }] }, { limits, upstream });
  const response = await patient.chat({ model: "silent", stream: true, ...QUESTION });
  expect(response.status).toBe(200);
  expect(response.headers.get("x-modelyard-upstream")).toBeNull();
  const frames = await readFrames(response);
  expect(frames.text).toStartWith(": keep-alive\n\n");
  expect(frames.data).toHaveLength(1);
  expect(JSON.parse(frames.data[0] ?? "")).toMatchObject({ error: { code: "upstream_timeout" } });
});
