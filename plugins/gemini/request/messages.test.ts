import { describe, expect, test } from "bun:test";
import type { JsonObject, Message } from "modelyard/plugin";
import { testCall } from "../../../test/support/plugin-host.ts";
import { ToolNames } from "modelyard/kit";
import { conversation } from "./messages.ts";
import { parseModelName } from "../models.ts";
import { TOOL_NAMES } from "./tools.ts";

function mapped(messages: readonly Message[], model = "gemini-2.5-flash") {
  const { call, ignored } = testCall();
  const names = new ToolNames({ model, messages }, TOOL_NAMES);
  return {
    ...conversation(messages, { model: parseModelName(model), names, call }),
    ignored: [...ignored.keys()],
  } as JsonObject;
}

const call = (id: string, name: string, args: string, extra: JsonObject = {}): JsonObject => ({
  id,
  type: "function",
  function: { name, arguments: args },
  ...extra,
});

const signed = (signature: string): JsonObject => ({
  extra_content: { google: { thought_signature: signature } },
});

const part = (own: JsonObject, model?: string) =>
  mapped(
    [{ role: "user", content: [{ type: "text", text: "look" }, own as JsonObject & { type: string }] }],
    model,
  );

const partOf = (own: JsonObject, model?: string) =>
  (part(own, model)["contents"] as { parts: JsonObject[] }[])[0]?.parts[1];

test("arguments of tens of thousands of levels go as their text, and are not looked through", () => {
  const args = `{"a":${"[".repeat(60_000)}${"]".repeat(60_000)}}`;
  const messages = [{ role: "assistant", content: null, tool_calls: [call("1", "f", args)] }];
  const { contents, ignored } = mapped(messages);
  expect(contents).toHaveProperty("[0].parts[0].functionCall.args", { _invalid: args });
  expect(ignored).toEqual(["messages[].tool_calls[].function.arguments"]);
});

describe("a conversation", () => {
  test("has its instructions apart, wherever they stand, and neighbours of one role merged", () => {
    expect(
      mapped([
        { role: "system", content: "Be brief." },
        { role: "user", content: "Hi" },
        { role: "user", content: [{ type: "text", text: "there" }] },
        { role: "developer", content: [{ type: "text", text: "And kind." }] },
        { role: "assistant", content: "Hello" },
        { role: "assistant", content: null, refusal: "No." },
        { role: "user", content: "" },
        { role: "user", content: "Bye" },
      ]),
    ).toEqual({
      systemInstruction: { parts: [{ text: "Be brief." }, { text: "And kind." }] },
      contents: [
        { role: "user", parts: [{ text: "Hi" }, { text: "there" }] },
        { role: "model", parts: [{ text: "Hello" }, { text: "No." }] },
        { role: "user", parts: [{ text: "Bye" }] },
      ],
      ignored: [],
    });
  });

  test("of instructions alone is asked as the user's", () => {
    expect(mapped([{ role: "system", content: "Say hi." }])).toEqual({
      contents: [{ role: "user", parts: [{ text: "Say hi." }] }],
      ignored: [],
    });
  });

  test("matches calls with their answers by id, and keeps signatures where they were", () => {
    const { contents } = mapped(
      [
        { role: "user", content: "Weather?" },
        {
          role: "assistant",
          content: "Let me see.",
          ...signed("text+/=="),
          tool_calls: [
            call("c1", "weather_of", '{"city":"Lisbon"}', signed("call+/==")),
            call("c2", "now", ""),
          ],
        },
        { role: "tool", tool_call_id: "c2", content: "noon" },
        { role: "tool", tool_call_id: "c1", content: '{"sky":"clear"}' },
        { role: "user", content: "And?" },
      ],
      "gemini-3-flash-preview",
    );
    expect(contents).toEqual([
      { role: "user", parts: [{ text: "Weather?" }] },
      {
        role: "model",
        parts: [
          { text: "Let me see.", thoughtSignature: "text+/==" },
          {
            functionCall: { id: "c1", name: "weather_of", args: { city: "Lisbon" } },
            thoughtSignature: "call+/==",
          },
          { functionCall: { id: "c2", name: "now", args: {} } },
        ],
      },
      {
        role: "user",
        parts: [
          { functionResponse: { id: "c2", name: "now", response: { output: "noon" } } },
          { functionResponse: { id: "c1", name: "weather_of", response: { sky: "clear" } } },
        ],
      },
      { role: "user", parts: [{ text: "And?" }] },
    ]);
  });

  test("lets calls that Gemini didn't make pass its third version, and leaves them alone for others", () => {
    const messages = [{ role: "assistant", tool_calls: [call("a", "f", "{}"), call("b", "g", "{}")] }];
    const partsFor = (model: string) =>
      (mapped(messages, model)["contents"] as { parts: JsonObject[] }[])[0]?.parts;
    expect(partsFor("gemini-3.1-pro-preview")?.map(({ thoughtSignature }) => thoughtSignature)).toEqual([
      "skip_thought_signature_validator",
      undefined,
    ]);
    expect(partsFor("gemini-2.5-pro")?.every((each) => !("thoughtSignature" in each))).toBe(true);
  });

  test.each([
    ["plain", { output: "plain" }],
    ["[1,2]", { output: [1, 2] }],
    ["3", { output: 3 }],
    ["null", { output: null }],
    ['{"a":1}', { a: 1 }],
    ["", { output: "" }],
  ])("wraps a function's answer that is no object: %s", (content, response) => {
    const { contents } = mapped([
      { role: "assistant", tool_calls: [call("a", "f", "{}")] },
      { role: "tool", tool_call_id: "a", content: [{ type: "text", text: content }] },
    ]);
    expect(contents).toHaveProperty("[1].parts[0].functionResponse.response", response);
  });

  test("names the members that it has no place for", () => {
    const { ignored } = mapped([
      {
        role: "user",
        name: "ann",
        content: [{ type: "text", text: "a", cache_control: { type: "ephemeral" } }],
      },
      { role: "assistant", content: "b", reasoning_content: "hm", annotations: [], audio: null },
    ]);
    expect(ignored).toEqual([
      "messages[].name",
      "messages[].content[].cache_control",
      "messages[].reasoning_content",
    ]);
  });

  test.each([
    [{ role: "assistant", audio: { id: "a" } }, "unsupported", "messages[0].audio"],
    [{ role: "constructor", content: "a" }, "unsupported", "messages[0].role"],
    [{ role: "tool", tool_call_id: "x", content: "a" }, "unsupported", "messages[0].tool_call_id"],
    [{ role: "assistant", tool_calls: [{ type: "custom" }] }, "unsupported", "messages[0].tool_calls[0]"],
    [{ role: "user", content: [{ type: "text" }] }, "bad-request", "messages[0].content[0].text"],
    [{ role: "user", content: [{ type: "odd" }] }, "unsupported", "messages[0].content[0]"],
    [
      { role: "system", content: [{ type: "image_url", image_url: { url: "data:image/png;base64,aGk=" } }] },
      "unsupported",
      "messages[0].content",
    ],
  ] as [Message, string, string][])("%j is %s of %s", (message, code, param) => {
    expect(() => mapped([message])).toThrow(expect.objectContaining({ code, param }));
  });
});

describe("a part", () => {
  test.each([
    [
      { type: "image_url", image_url: { url: "data:image/png;base64,aGk=" } },
      { inlineData: { mimeType: "image/png", data: "aGk=" } },
    ],
    [
      { type: "image_url", image_url: "data:;base64,aGk=" },
      { inlineData: { mimeType: "text/plain", data: "aGk=" } },
    ],
    [
      { type: "image_url", image_url: { url: "DATA:text/plain;charset=utf-8,h%C3%BC" } },
      { inlineData: { mimeType: "text/plain", data: "aMO8" } },
    ],
    [
      { type: "image_url", image_url: { url: "gs://bucket/a.png" } },
      { fileData: { fileUri: "gs://bucket/a.png", mimeType: "image/png" } },
    ],
    [
      { type: "image_url", image_url: { url: "https://example.com/a.JPG?x=1", detail: "auto" } },
      { fileData: { fileUri: "https://example.com/a.JPG?x=1", mimeType: "image/jpeg" } },
    ],
    [
      { type: "video_url", video_url: { url: "https://youtu.be/xyz" } },
      { fileData: { fileUri: "https://youtu.be/xyz" } },
    ],
    [
      { type: "input_audio", input_audio: { data: "aGk=", format: "mp3" } },
      { inlineData: { mimeType: "audio/mp3", data: "aGk=" } },
    ],
    [
      { type: "file", file: { file_data: "data:application/pdf;base64,aGk=" } },
      { inlineData: { mimeType: "application/pdf", data: "aGk=" } },
    ],
    [
      { type: "file", file: { file_id: "files/abc-1" } },
      { fileData: { fileUri: "https://generativelanguage.googleapis.com/v1beta/files/abc-1" } },
    ],
  ] as [JsonObject, JsonObject][])("%j", (own, expected) => {
    expect(partOf(own)).toEqual(expected);
  });

  test("names what it has no place for", () => {
    expect(part({ type: "image_url", image_url: { url: "data:,x", detail: "low" } })["ignored"]).toEqual([
      "messages[].content[].image_url.detail",
    ]);
    expect(part({ type: "file", file: { file_data: "data:,x", filename: "a.pdf" } })["ignored"]).toEqual([
      "messages[].content[].file.filename",
    ]);
  });

  const image = (url: string) => ({ type: "image_url", image_url: { url } });

  test("is never fetched from here, and refused where Google doesn't fetch it either", () => {
    const refused = expect.objectContaining({ code: "unsupported", param: "messages[0].content[1]" });
    expect(() => partOf(image("https://example.com/a.png"), "gemini-2.0-flash")).toThrow(refused);
    expect(() => partOf(image("file:///etc/passwd"))).toThrow(refused);
    expect(() => partOf(image("ftp://example.com/a.png"))).toThrow(refused);
    expect(() => partOf({ type: "file", file: { file_id: "file-abc" } })).toThrow(refused);
    const own = "https://generativelanguage.googleapis.com/v1beta/files/a";
    expect(partOf(image(own), "gemini-2.0-flash")).toEqual({ fileData: { fileUri: own } });
  });

  test.each(["data:image/png;base64", "data:text/plain,%E0%A4%A"])("%s is no data", (url) => {
    expect(() => partOf(image(url))).toThrow(expect.objectContaining({ code: "bad-request" }));
  });
});
