import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Json, JsonObject } from "../../src/contract/json.ts";
import type { Door, Received } from "../support/openai-door.ts";
import { answers, callsIn, failureOf, startDoor, streams } from "../support/openai-door.ts";

/**
 * The end of an answer behind an Anthropic-like server: arguments are what was said, or the answer fails.
 * @module
 */
let door: Door;
beforeAll(async () => {
  const options = { api_key: "sk-ant-1", models: ["m"] };
  door = await startDoor(
    (url) => ({ plugin: "anthropic", options: { ...options, base_url: url } }),
    "cache: { mode: off }\n",
  );
});
afterAll(() => door[Symbol.asyncDispose]());

function frame(type: string, members: JsonObject = {}): string {
  return `event: ${type}\ndata: ${JSON.stringify({ type, ...members })}\n\n`;
}

const START = frame("message_start", {
  message: { id: "msg_1", model: "m", content: [], usage: { input_tokens: 25 } },
});
const STOP = frame("message_stop");
const begin = (index: number, name: string, input: Json = {}): string =>
  frame("content_block_start", {
    index,
    content_block: { type: "tool_use", id: `toolu_${name}`, name, input },
  });
const delta = (index: number, partial_json: Json): string =>
  frame("content_block_delta", { index, delta: { type: "input_json_delta", partial_json } });
const end = (index: number): string => frame("content_block_stop", { index });
const reason = (stop_reason: string | null, usage: JsonObject = { output_tokens: 5 }): string =>
  frame("message_delta", { delta: { stop_reason }, usage });
const text = (said: string): string =>
  frame("content_block_start", { index: 0, content_block: { type: "text", text: "" } }) +
  frame("content_block_delta", { index: 0, delta: { type: "text_delta", text: said } }) +
  end(0);

function streamed(...frames: string[]): Promise<Received> {
  door.upstream.respond = streams(frames);
  return door.ask({ stream: true });
}

const message = (content: Json, stop_reason: string | null = "tool_use"): JsonObject => ({
  id: "msg_1",
  type: "message",
  role: "assistant",
  model: "m",
  content,
  stop_reason,
  usage: { input_tokens: 25, output_tokens: 5 },
});

function whole(body: JsonObject): Promise<Received> {
  door.upstream.respond = answers(body);
  return door.ask();
}

describe("arguments", () => {
  const END = [reason("tool_use"), STOP];

  test.each<[string, string[], string]>([
    [
      "in the start and in pieces",
      [begin(0, "r", { p: 1 }), delta(0, '{"p"'), delta(0, ":1}"), end(0)],
      '{"p":1}',
    ],
    ["in the start", [begin(0, "r", { p: 1 }), end(0)], '{"p":1}'],
    ["as a text in the start", [begin(0, "r", '{"p":1}'), end(0)], '{"p":1}'],
    ["as an object in a piece", [begin(0, "r"), delta(0, { p: 1 }), end(0)], '{"p":1}'],
    [
      "in pieces behind a start that is said twice",
      [begin(0, "r"), begin(0, "r"), delta(0, '{"p":1}')],
      '{"p":1}',
    ],
    ["in the second of two equal starts", [begin(0, "r"), begin(0, "r", { p: 1 }), end(0)], '{"p":1}'],
    ["none", [begin(0, "r"), end(0)], "{}"],
    ["none, of a block that doesn't end", [begin(0, "r")], "{}"],
    ["in the start of a block that doesn't end", [begin(0, "r", { p: 1 })], '{"p":1}'],
  ])("that come %s come once", async (_, frames, expected) => {
    const answer = await streamed(START, ...frames, ...END);
    expect(callsIn(answer)).toEqual([["r", expected]]);
    expect(answer.choices[0]?.finish_reason).toBe("tool_calls");
  });

  test("of a plain answer may be a text, an object or nothing", async () => {
    const content = ['{"p":1}', { p: 1 }, {}, null, ""].map((input, place) => {
      return { type: "tool_use", id: `t${place}`, name: "r", input };
    });
    const calls = callsIn(await whole(message(content))).map(([, args]) => args);
    expect(calls).toEqual(['{"p":1}', '{"p":1}', "{}", "{}", "{}"]);
  });

  test.each<[string, string[]]>([
    [
      "of two open blocks under one index",
      [begin(0, "r"), begin(1, "s"), delta(0, '{"p":1}'), delta(0, '{"q":2}'), end(0), end(1)],
    ],
    [
      "of two blocks begun at one index",
      [begin(0, "r"), begin(0, "s"), delta(0, '{"p":1}'), delta(0, '{"q":2}'), end(0)],
    ],
    ["that are cut", [begin(0, "r"), delta(0, '{"path":"a'), end(0)]],
  ])("%s are a bad response, and no finish", async (_, frames) => {
    for (const stop of ["tool_use", "end_turn"]) {
      const answer = await streamed(START, text("x"), ...frames, reason(stop), STOP);
      expect(failureOf(answer).code).toBe("upstream_bad_response");
    }
  });

  test("that max_tokens cut stay open", async () => {
    const answer = await streamed(START, begin(0, "r"), delta(0, '{"path":"a'), reason("max_tokens"), STOP);
    expect([callsIn(answer), answer.choices[0]?.finish_reason]).toEqual([[["r", '{"path":"a']], "length"]);
  });

  test("of calls with one id come under two", async () => {
    const content = ["a", "b"].map((name) => ({ type: "tool_use", id: "toolu_1", name, input: {} }));
    const ids = (await whole(message(content))).choices[0]?.message.tool_calls?.map(({ id }) => id) ?? [];
    expect([ids[0], new Set(ids).size]).toEqual(["toolu_1", 2]);
  });
});

describe("the body decides, whatever its content type says:", () => {
  const stream = [START, text("Hello"), reason("end_turn"), STOP].join("");
  const plainly = JSON.stringify(message([{ type: "text", text: "Hello" }], "end_turn"));
  const types = [
    "application/json",
    "text/event-stream",
    "text/plain",
    "text/html",
    "application/octet-stream",
    "",
  ];

  test.each(types)("%p", async (type) => {
    for (const body of [stream, plainly, `\uFEFF${stream}`, `\n\n ${plainly}`]) {
      door.upstream.respond = (exchange) => {
        exchange.head(200, type === "" ? {} : { "content-type": type });
        exchange.chunk(body);
        exchange.end();
      };
      for (const asked of [true, false]) {
        const answer = await door.ask({ stream: asked });
        expect(answer.choices).toMatchObject([{ message: { content: "Hello" }, finish_reason: "stop" }]);
      }
    }
    door.upstream.respond = (exchange) => {
      exchange.head(200, type === "" ? {} : { "content-type": type });
      exchange.chunk(
        JSON.stringify({ type: "error", error: { type: "overloaded_error", message: "Overloaded" } }),
      );
      exchange.end();
    };
    expect(failureOf(await door.ask({ stream: true }))).toMatchObject({
      code: "upstream_unavailable",
      message: "Overloaded",
    });
  });
});

describe("the end", () => {
  test.each([
    ["[DONE]", [reason("end_turn"), "data: [DONE]\n\n"]],
    ["nothing", [reason("end_turn")]],
  ])("may be a stop_reason with %s behind it", async (_, frames) => {
    const answer = await streamed(START, text("Hello"), ...frames);
    expect(answer.choices).toMatchObject([{ message: { content: "Hello" }, finish_reason: "stop" }]);
  });

  test("may be said at the start, where message_stop or [DONE] comes", async () => {
    const start = frame("message_start", {
      message: { id: "msg_1", model: "m", content: [], stop_reason: "end_turn" },
    });
    for (const mark of [STOP, "data: [DONE]\n\n"])
      expect((await streamed(start, text("Hello"), mark)).choices[0]?.finish_reason).toBe("stop");
    expect(failureOf(await streamed(start, text("Hello"))).code).toBe("upstream_truncated");
  });

  test.each(["null", "None", ""])("is not the stop_reason %p", async (word) => {
    expect(failureOf(await streamed(START, text("Hello"), reason(word), STOP)).code).toBe(
      "upstream_truncated",
    );
  });

  test("of a plain answer without a stop_reason is a marked stop", async () => {
    expect((await whole(message([{ type: "text", text: "Hi" }], null))).choices).toMatchObject([
      { message: { content: "Hi" }, finish_reason: "stop", native_finish_reason: null },
    ]);
  });

  test("in bare JSON or a page is told as what it is", async () => {
    const failed = { type: "error", error: { type: "overloaded_error", message: "Overloaded" } };
    for (const bare of [JSON.stringify(failed), JSON.stringify(failed, null, 2)]) {
      for (const before of [START + text("Hello"), ": ping\n\n"])
        expect(failureOf(await streamed(before, bare)).message).toBe("Overloaded");
    }
    const page = "<!doctype html>\n<html></html>\n";
    expect(failureOf(await streamed(START, text("Hello"), page)).code).toBe("upstream_bad_response");
    expect(failureOf(await streamed("\n")).code).toBe("upstream_bad_response");
  });
});

test("of two counts the larger one is the usage", async () => {
  door.upstream.respond = streams([
    START,
    text("Hello"),
    reason("end_turn", { input_tokens: 0, output_tokens: 5 }),
    STOP,
  ]);
  const answer = await door.ask({ stream: true, stream_options: { include_usage: true } });
  expect(answer.data.at(-2)).toContain('"prompt_tokens":25');
});
