import { expect, test } from "bun:test";
import type { JsonObject } from "../../src/contract/json.ts";
import { answers, chunk, DONE, openaiAt, plain, startDoor, streams } from "../support/openai-door.ts";

/**
 * Which answers are kept in the cache: those with content that were neither filtered nor blocked.
 * @module
 */
const HELLO = { role: "assistant", content: "Hello" };
const CALL = { index: 0, id: "a", type: "function", function: { name: "f", arguments: "{}" } };

test.each<[string, JsonObject, string]>([
  ["a text", plain(HELLO), "hit"],
  ["a text that max_tokens cut", plain(HELLO, { finish_reason: "length" }), "hit"],
  [
    "a call",
    plain({ role: "assistant", content: null, tool_calls: [CALL] }, { finish_reason: "tool_calls" }),
    "hit",
  ],
  ["a refusal", plain({ role: "assistant", content: null, refusal: "No." }), "hit"],
  ["an empty text", plain({ role: "assistant", content: "" }), "miss"],
  ["nothing but a length", plain({ role: "assistant", content: "" }, { finish_reason: "length" }), "miss"],
  ["reasoning without a text", plain({ role: "assistant", content: "", reasoning_content: "hm" }), "miss"],
  ["a filtered text", plain(HELLO, { finish_reason: "content_filter" }), "miss"],
  [
    "nothing but a filter",
    plain({ role: "assistant", content: "" }, { finish_reason: "content_filter" }),
    "miss",
  ],
])("%s asked for again is a %s", async (_, body, second) => {
  await using door = await startDoor(openaiAt);
  door.upstream.respond = answers(body);
  const states = [];
  for (let time = 0; time < 2; time++)
    states.push((await door.ask({ temperature: 0 })).headers.get("x-modelyard-cache"));
  expect(states).toEqual(["miss", second]);
});

test("an answer of several is kept where each has content", async () => {
  await using door = await startDoor(openaiAt);
  const other = (delta: JsonObject, reason: string) =>
    `data: ${JSON.stringify({ choices: [{ index: 1, delta, finish_reason: reason }] })}\n\n`;
  for (const [last, second] of [
    [other({}, "stop"), "miss"],
    [other({ content: "b" }, "content_filter"), "miss"],
    [other({ content: "b" }, "stop"), "hit"],
  ] as const) {
    door.upstream.respond = streams([chunk({ content: "a" }, "stop"), last, DONE]);
    const ask = () =>
      door.ask({ n: 2, stream: true, temperature: 0, messages: [{ role: "user", content: last }] });
    await ask();
    expect((await ask()).headers.get("x-modelyard-cache")).toBe(second);
  }
});

test.each<[string, JsonObject]>([
  ["a blocked prompt", { promptFeedback: { blockReason: "SAFETY" } }],
  [
    "a filtered answer",
    { candidates: [{ index: 0, content: { parts: [{ text: "a" }] }, finishReason: "SAFETY" }] },
  ],
  ["an empty answer", { candidates: [{ index: 0, content: { parts: [] }, finishReason: "STOP" }] }],
])("%s of Gemini is asked for again", async (_, body) => {
  const options = { api_key: "AIza-1", models: ["m"] };
  await using door = await startDoor((url) => ({ plugin: "gemini", options: { ...options, base_url: url } }));
  door.upstream.respond = answers(body);
  for (let time = 0; time < 2; time++)
    expect((await door.ask({ temperature: 0 })).headers.get("x-modelyard-cache")).not.toBe("hit");
});
