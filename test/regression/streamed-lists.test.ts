import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Json, JsonObject } from "../../src/contract/json.ts";
import type { Door } from "../support/openai-door.ts";
import { chunk, DONE, openaiAt, startDoor, streams } from "../support/openai-door.ts";

/**
 * What an upstream says in several deltas is all there in the plain form, too.
 * @module
 */
let openai: Door;
let gemini: Door;
beforeAll(async () => {
  openai = await startDoor(openaiAt);
  const options = { api_key: "AIza-1", models: ["m"] };
  gemini = await startDoor((url) => ({ plugin: "gemini", options: { ...options, base_url: url } }));
});
afterAll(async () => {
  await openai[Symbol.asyncDispose]();
  await gemini[Symbol.asyncDispose]();
});

/** Asks a streamed question, and the same plain: the cache answers it. */
async function bothForms(door: Door, frames: readonly string[]) {
  door.upstream.respond = streams(frames);
  const messages = [{ role: "user", content: frames.join("") }];
  const streamed = await door.ask({ stream: true, temperature: 0, messages });
  const plain = await door.ask({ temperature: 0, messages });
  expect(plain.headers.get("x-modelyard-cache")).toBe("hit");
  return { streamed: streamed.choices[0]?.message, plain: plain.choices[0]?.message };
}

const picture = (data: string): JsonObject => ({
  type: "image_url",
  image_url: { url: `data:image/png;base64,${data}` },
});

test("Gemini's pictures and code", async () => {
  const part = (said: JsonObject, more: JsonObject = {}): string =>
    `data: ${JSON.stringify({ candidates: [{ index: 0, content: { parts: [said] }, ...more }] })}\n\n`;
  const code = { executableCode: { language: "PYTHON", code: "1+1" } };
  const result = { codeExecutionResult: { outcome: "OUTCOME_OK", output: "2" } };
  const { streamed, plain } = await bothForms(gemini, [
    part({ inlineData: { mimeType: "image/png", data: "AAAA" } }),
    part({ inlineData: { mimeType: "image/png", data: "BBBB" } }),
    part(code),
    part(result),
    part({ text: "Two." }, { finishReason: "STOP" }),
  ]);
  for (const message of [streamed, plain]) {
    expect(message).toMatchObject({
      content: "Two.",
      images: [picture("AAAA"), picture("BBBB")],
      content_parts: [code, result],
    });
  }
});

test.each<[string, Json[]]>([
  ["images", [picture("AAAA"), picture("BBBB")]],
  ["x_vendor_list", [{ a: 1 }, { a: 1 }, 2]],
  ["annotations", [{ url: "a" }, { url: "b" }]],
])("the list %s of an OpenAI-like server", async (name, items) => {
  const deltas = items.map((item) => chunk({ [name]: [item] }));
  const { plain } = await bothForms(openai, [...deltas, chunk({ content: "x" }, "stop"), DONE]);
  expect(plain?.[name]).toEqual(items);
  // A server that streams unasked.
  openai.upstream.respond = streams([...deltas, chunk({ content: "y" }, "stop"), DONE]);
  expect((await openai.ask()).choices[0]?.message[name]).toEqual(items);
});

test("a list beside the choices is the last that was said", async () => {
  const said = (citations: Json): string => chunk({ content: "x" }, null, { citations });
  openai.upstream.respond = streams([said(["a"]), said(["a", "b"]), chunk({}, "stop"), DONE]);
  const response = await openai.gateway.chat({ model: "m", messages: [{ role: "user", content: "q" }] });
  expect(((await response.json()) as JsonObject)["citations"]).toEqual(["a", "b"]);
});
