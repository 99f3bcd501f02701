import { afterAll, beforeAll, expect, test } from "bun:test";
import { startTranslation, tool } from "../support/translation.ts";
import type { Translation } from "../support/translation.ts";

/**
 * One request is refused alike by anthropic and gemini: as wrong where no server could take it, and else so that the
 * next target is asked.
 * @module
 */
let stage: Translation;

beforeAll(async () => {
  stage = await startTranslation();
});

afterAll(() => stage[Symbol.asyncDispose]());

const q = { role: "user", content: "q" };
const part = (own: object) => ({ messages: [{ role: "user", content: [own] }] });

test.each([
  [{ tools: ["now"] }, "invalid_value"],
  [{ tools: [{ type: "function" }] }, "invalid_value"],
  [{ tools: [{ type: "custom", custom: { name: "x" } }] }, "unsupported_parameter"],
  [{ tools: [tool("f")], tool_choice: { type: "function" } }, "invalid_value"],
  [{ tools: [tool("f")], tool_choice: { type: "function", function: { name: "" } } }, "invalid_value"],
  [{ tools: [tool("f")], tool_choice: "maybe" }, "unsupported_parameter"],
  [{ tool_choice: "required" }, "invalid_value"],
  [{ response_format: { type: "grammar" } }, "unsupported_parameter"],
  [{ response_format: { type: "json_schema" } }, "invalid_value"],
  [{ reasoning_effort: "extreme" }, "unsupported_parameter"],
  [{ temperature: "hot" }, "invalid_value"],
  [{ top_p: {} }, "invalid_value"],
  [{ max_tokens: "many" }, "invalid_value"],
  [{ stop: [7] }, "invalid_value"],
  [part({ type: "image_url" }), "invalid_value"],
  [part({ type: "image_url", image_url: {} }), "invalid_value"],
  [part({ type: "image_url", image_url: { url: "" } }), "invalid_value"],
  [part({ type: "file" }), "invalid_value"],
  [part({ type: "file", file: {} }), "invalid_value"],
  [part({ type: "text" }), "invalid_value"],
  [part({ type: "refusal" }), "invalid_value"],
  [{ messages: [q, { role: "assistant", audio: { id: "a" } }, q] }, "unsupported_parameter"],
  [{ functions: [{ name: "f" }] }, "unsupported_parameter"],
  [{ web_search_options: {} }, "unsupported_parameter"],
  [{ modalities: ["text", "audio"] }, "unsupported_parameter"],
] as [object, string][])("%j", async (fields, code) => {
  const { an, ge } = await stage.askBoth({ messages: [q], ...fields });
  for (const { status, error, up } of [an, ge])
    expect([status, error?.code, up.length]).toEqual([400, code, 0]);
  expect(an.error?.param?.split(/[.[]/)[0]).toBe(ge.error?.param?.split(/[.[]/)[0]);
});

test("a tool with a function needs no type", async () => {
  const { an, ge } = await stage.askBoth({ messages: [q], tools: [{ function: { name: "f" } }] });
  expect(an.up[0]?.tools[0]?.name).toBe("f");
  expect(ge.up[0]?.tools[0]?.functionDeclarations[0]?.name).toBe("f");
});

test.each([[true], [[7]], ["none"], [7]])("a tool's schema that is %j is as good as none", async (schema) => {
  const { an, ge } = await stage.askBoth({ messages: [q], tools: [tool("f", schema)] });
  expect(an.up[0]?.tools[0]?.input_schema).toEqual({ type: "object", properties: {} });
  expect(ge.up[0]?.tools[0]?.functionDeclarations).toEqual([{ name: "f" }]);
  for (const { ignored } of [an, ge]) expect(ignored).toContain("tools[].function.parameters");
});

test("a text is one by either of its names", async () => {
  const { an, ge } = await stage.askBoth(part({ type: "input_text", text: "Hello" }));
  expect(an.up[0]?.messages[0]?.content).toEqual([{ type: "text", text: "Hello" }]);
  expect(ge.up[0]?.contents[0]?.parts).toEqual([{ text: "Hello" }]);
});

test.each([
  { type: "video_url", video_url: { url: "data:video/mp4;base64,AAAA" } },
  { type: "audio_url", audio_url: { url: "data:audio/wav;base64,AAAA" } },
  { type: "input_image", image_url: "data:image/png;base64,AAAA" },
  { type: "input_file", file_data: "AAAA" },
])("Anthropic's API is sent no part that only others have: %j", async (own) => {
  const { an } = await stage.askBoth(part(own));
  expect([an.error?.code, an.error?.param, an.up.length]).toEqual([
    "unsupported_parameter",
    "messages[0].content[0]",
    0,
  ]);
});

test("the schema of a tool is one of objects, whatever type it says", async () => {
  for (const type of ["string", ["object", "null"], "any", null]) {
    const { an, ge } = await stage.askBoth({
      messages: [q],
      tools: [tool("f", { type, properties: { a: {} } })],
    });
    expect(an.up[0]?.tools[0]?.input_schema).toEqual({ type: "object", properties: { a: {} } });
    const schema = ge.up[0]?.tools[0]?.functionDeclarations[0]?.parametersJsonSchema;
    expect(schema).toEqual({ type: "object", properties: { a: {} } });
    expect([an.ignored, ge.ignored]).toEqual([
      "tools[].function.parameters: 1 keyword",
      "tools[].function.parameters: 1 keyword",
    ]);
  }
});
