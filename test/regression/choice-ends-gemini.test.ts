import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Json, JsonObject } from "../../src/contract/json.ts";
import type { Door, Received } from "../support/openai-door.ts";
import { answers, callsIn, failureOf, startDoor, streams } from "../support/openai-door.ts";

/**
 * The end of an answer behind a Gemini-like server.
 * @module
 */
let door: Door;
beforeAll(async () => {
  const options = { api_key: "AIza-1", models: ["m"] };
  door = await startDoor(
    (url) => ({ plugin: "gemini", options: { ...options, base_url: url } }),
    "cache: { mode: off }\n",
  );
});
afterAll(() => door[Symbol.asyncDispose]());

const said = (parts: Json[], more: JsonObject = {}): JsonObject => ({
  candidates: [{ index: 0, content: { role: "model", parts }, ...more }],
});
const frame = (chunk: JsonObject): string => `data: ${JSON.stringify(chunk)}\n\n`;
const STOP = { finishReason: "STOP" };

function streamed(...frames: string[]): Promise<Received> {
  door.upstream.respond = streams(frames);
  return door.ask({ stream: true });
}

function whole(body: Json): Promise<Received> {
  door.upstream.respond = answers(body);
  return door.ask();
}

test.each<[string, string[]]>([
  ["in every chunk", [frame(said([{ text: "Hel" }], STOP)), frame(said([{ text: "lo" }], STOP))]],
  ["in the first chunk", [frame(said([], STOP)), frame(said([{ text: "Hello" }])), frame(said([], STOP))]],
  [
    "as a word for none",
    [frame(said([{ text: "Hel" }], { finishReason: "null" })), frame(said([{ text: "lo" }], STOP))],
  ],
  [
    "and then [DONE]",
    [frame(said([{ text: "Hel" }], STOP)), frame(said([{ text: "lo" }])), "data: [DONE]\n\n"],
  ],
])("a finish reason %s loses nothing, and comes last", async (_, frames) => {
  const answer = await streamed(...frames);
  expect(answer.choices).toMatchObject([{ message: { content: "Hello" }, finish_reason: "stop" }]);
  expect(answer.data.at(-2)).toContain('"finish_reason":"stop"');
});

describe("calls", () => {
  const call = (name: string, args: Json, id = "i"): JsonObject => ({ functionCall: { id, name, args } });

  test("with one id get different ones", async () => {
    const parts = [call("get", { p: 1 }), call("get", { p: 2 }), call("put", {})];
    for (const answer of [await whole(said(parts, STOP)), await streamed(frame(said(parts, STOP)))]) {
      expect(callsIn(answer)).toEqual([
        ["get", '{"p":1}'],
        ["get", '{"p":2}'],
        ["put", "{}"],
      ]);
      const ids = answer.choices[0]?.message.tool_calls?.map(({ id }) => id) ?? [];
      expect([ids[0], new Set(ids).size]).toEqual(["i", 3]);
    }
  });

  test.each<[Json, string]>([
    ["", "{}"],
    [null, "{}"],
    ['{"p":1}', '{"p":1}'],
  ])("with the arguments %j have %j", async (args, expected) => {
    expect(callsIn(await whole(said([call("get", args)], STOP)))).toEqual([["get", expected]]);
  });

  test("with a text that is no JSON are a bad response", async () => {
    expect(failureOf(await streamed(frame(said([call("get", '{"p')], STOP)))).code).toBe(
      "upstream_bad_response",
    );
  });
});

test("a document without a finishReason is whole, and says so", async () => {
  expect((await whole(said([{ text: "Hi" }]))).choices).toMatchObject([
    { message: { content: "Hi" }, finish_reason: "stop", native_finish_reason: null },
  ]);
});

test.each<[Json]>([[{ candidates: [] }], [{ usageMetadata: { promptTokenCount: 1 } }], [[]]])(
  "a document without an answer is a bad response: %j",
  async (body) => {
    const { status, error } = await whole(body);
    expect([status, error?.code]).toEqual([502, "upstream_bad_response"]);
  },
);

test("an empty body, a page and bare JSON in a stream are told as what they are", async () => {
  const begun = frame(said([{ text: "Hel" }]));
  expect(failureOf(await streamed("\n")).code).toBe("upstream_bad_response");
  expect(failureOf(await streamed(begun, "<html>\n</html>\n")).code).toBe("upstream_bad_response");
  const failed = { error: { code: 503, message: "overloaded", status: "UNAVAILABLE" } };
  for (const bare of [JSON.stringify(failed), JSON.stringify([failed], null, 2)])
    expect(failureOf(await streamed(begun, bare)).message).toBe("overloaded");
});
