import { describe, expect, test } from "bun:test";
import type { ChatRequest, JsonObject } from "modelyard/plugin";
import { testCall } from "../../../test/support/plugin-host.ts";
import { ToolNames } from "modelyard/kit";
import { parseModelName } from "../models.ts";
import { generateRequest } from "./request.ts";
import { TOOL_NAMES } from "./tools.ts";

interface Around {
  readonly model?: string;
  readonly thoughts?: boolean;
  readonly safety?: Parameters<typeof generateRequest>[1]["options"]["safety"];
}

function mapped(
  fields: JsonObject,
  { model = "gemini-2.5-flash", thoughts = false, safety = {} }: Around = {},
) {
  const { call, ignored } = testCall();
  const request: ChatRequest = { model, messages: [{ role: "user", content: "Hi" }], ...fields };
  const names = new ToolNames(request, TOOL_NAMES);
  const context = { model: parseModelName(model), options: { thoughts, safety }, names, call };
  const { contents: _, ...body } = generateRequest(request, context) as Record<string, unknown>;
  return { body, ignored: [...ignored.keys()] };
}

const config = (fields: JsonObject, context?: Around) => mapped(fields, context).body["generationConfig"];
const tool = (name: string, more: JsonObject = {}) => ({ type: "function", function: { name, ...more } });

describe("generation config", () => {
  test("has the parameters by Gemini's names", () => {
    const { body, ignored } = mapped({
      temperature: 0.2,
      top_p: 0.9,
      top_k: 40,
      seed: 7,
      n: 2,
      presence_penalty: 0.1,
      frequency_penalty: 0.2,
      max_completion_tokens: 100,
      max_tokens: 100,
      stop: "END",
      logprobs: true,
      top_logprobs: 3,
      modalities: ["text", "image"],
      service_tier: "flex",
      stream: true,
      stream_options: { include_usage: true },
      parallel_tool_calls: true,
      user: null,
    });
    expect(body).toEqual({
      serviceTier: "flex",
      generationConfig: {
        temperature: 0.2,
        topP: 0.9,
        topK: 40,
        seed: 7,
        candidateCount: 2,
        presencePenalty: 0.1,
        frequencyPenalty: 0.2,
        maxOutputTokens: 100,
        stopSequences: ["END"],
        responseLogprobs: true,
        logprobs: 3,
        responseModalities: ["TEXT", "IMAGE"],
      },
    });
    expect(ignored).toEqual([]);
  });

  test.each([
    [{ max_tokens: 5 }, { maxOutputTokens: 5 }, []],
    [{ max_tokens: 5, max_completion_tokens: 6 }, { maxOutputTokens: 6 }, ["max_tokens"]],
    [{ stop: ["a", ""] }, { stopSequences: ["a"] }, []],
    [{ logprobs: false, modalities: ["text"], service_tier: "auto" }, undefined, []],
    [
      { service_tier: "scale", parallel_tool_calls: false, odd: 1 },
      undefined,
      ["service_tier", "parallel_tool_calls", "odd"],
    ],
    [{ response_format: { type: "text" } }, undefined, []],
    [{ response_format: { type: "json_object" } }, { responseMimeType: "application/json" }, []],
    [{ functions: [], function_call: "none", audio: null }, undefined, []],
  ] as [JsonObject, JsonObject | undefined, string[]][])("%j", (fields, expected, ignored) => {
    const { body, ignored: names } = mapped(fields);
    expect(body["generationConfig"]).toEqual(expected as never);
    expect(names).toEqual(ignored);
  });

  test("has the schema of an answer, cut down to what Gemini heeds", () => {
    const schema = { type: "object", properties: { a: { type: "string", pattern: "x" } } };
    const asked = { name: "thing", description: "d", strict: true, schema, odd: 1 };
    const { body, ignored } = mapped({ response_format: { type: "json_schema", json_schema: asked } });
    expect(body["generationConfig"]).toEqual({
      responseMimeType: "application/json",
      responseJsonSchema: {
        title: "thing",
        description: "d",
        type: "object",
        properties: { a: { type: "string", description: '{pattern: "x"}' } },
      },
    });
    expect(ignored).toEqual([
      "response_format.json_schema.odd",
      "response_format.json_schema.schema.properties.a.pattern",
    ]);
  });

  test.each([
    [{ stop: ["1", "2", "3", "4", "5", "6"] }, "unsupported", "stop"],
    [{ stop: [1] }, "bad-request", "stop"],
    [{ temperature: "hot" }, "bad-request", "temperature"],
    [{ max_tokens: "many" }, "bad-request", "max_tokens"],
    [{ logprobs: 1 }, "bad-request", "logprobs"],
    [{ response_format: { type: "grammar" } }, "unsupported", "response_format"],
    [{ response_format: { type: "json_schema" } }, "bad-request", "response_format.json_schema"],
    [{ modalities: ["text", "audio"] }, "unsupported", "modalities"],
    [{ functions: [{ name: "f" }] }, "unsupported", "functions"],
    [{ web_search_options: {} }, "unsupported", "web_search_options"],
    [{ safety_settings: {} }, "bad-request", "safety_settings"],
    [{ reasoning_effort: "extreme" }, "unsupported", "reasoning_effort"],
    [
      { reasoning_effort: "low", google: { thinking_config: { thinking_budget: 1 } } },
      "bad-request",
      "reasoning_effort",
    ],
  ] as [JsonObject, string, string][])("%j is %s of %s", (fields, code, param) => {
    expect(() => mapped(fields)).toThrow(expect.objectContaining({ code, param }));
  });
});

describe("thinking", () => {
  test.each([
    ["gemini-2.5-flash", "none", { thinkingBudget: 0 }, false],
    ["gemini-2.5-flash", "minimal", { includeThoughts: true, thinkingBudget: 1024 }, false],
    ["gemini-2.5-flash-lite", "low", { includeThoughts: true, thinkingBudget: 1024 }, false],
    ["gemini-2.5-pro", "medium", { includeThoughts: true, thinkingBudget: 8192 }, false],
    ["gemini-2.5-pro", "high", { includeThoughts: true, thinkingBudget: 24_576 }, false],
    ["gemini-2.5-pro", "xhigh", { includeThoughts: true, thinkingBudget: 24_576 }, true],
    ["gemini-3-flash", "max", { includeThoughts: true, thinkingLevel: "HIGH" }, true],
    ["gemini-2.5-pro", "none", { thinkingBudget: 128 }, true],
    ["gemini-3-pro-preview", "medium", { includeThoughts: true, thinkingLevel: "HIGH" }, false],
    ["gemini-3.1-pro-preview", "minimal", { includeThoughts: true, thinkingLevel: "LOW" }, false],
    ["gemini-3.1-pro-preview", "medium", { includeThoughts: true, thinkingLevel: "MEDIUM" }, false],
    ["gemini-3-flash-preview", "minimal", { includeThoughts: true, thinkingLevel: "MINIMAL" }, false],
    ["gemini-3-flash-preview", "none", { thinkingLevel: "MINIMAL" }, true],
    ["gemini-3.8-flash", "minimal", { includeThoughts: true, thinkingLevel: "LOW" }, false],
    ["models/gemini-3.1-flash-lite", "high", { includeThoughts: true, thinkingLevel: "HIGH" }, false],
    ["gemini-flash-latest", "minimal", { includeThoughts: true, thinkingLevel: "LOW" }, false],
    ["gemini-2.0-flash", "high", undefined, true],
    ["gemini-2.0-flash", "none", undefined, false],
    ["gemma-3-27b-it", "high", undefined, true],
    ["gemini-2.5-flash-image", "low", undefined, true],
  ] as [string, string, JsonObject | undefined, boolean][])("%s %s", (model, effort, expected, isNamed) => {
    const { body, ignored } = mapped({ reasoning_effort: effort }, { model });
    expect(body["generationConfig"]).toEqual(expected && ({ thinkingConfig: expected } as never));
    expect(ignored).toEqual(isNamed ? ["reasoning_effort"] : []);
  });

  test("may be asked for by an option, of models that think", () => {
    const asked = { thinkingConfig: { includeThoughts: true } };
    expect(config({}, { thoughts: true })).toEqual(asked);
    expect(config({ reasoning_effort: null }, { thoughts: true })).toEqual(asked);
    expect(config({}, { thoughts: true, model: "gemini-2.0-flash" })).toBeUndefined();
    expect(config({})).toBeUndefined();
  });

  test("takes Google's own fields, as its OpenAI-compatible address does", () => {
    const own = {
      thinking_config: { thinking_budget: 7, includeThoughts: false },
      cached_content: "cachedContents/x",
    };
    const expected = {
      cachedContent: "cachedContents/x",
      generationConfig: { thinkingConfig: { thinkingBudget: 7, includeThoughts: false } },
    };
    expect(mapped({ google: own }, { thoughts: true })).toEqual({ body: expected, ignored: [] });
    expect(mapped({ extra_body: { google: own } })).toEqual({ body: expected, ignored: [] });
    const effort = { reasoning_effort: "low", google: { thinking_config: { include_thoughts: false } } };
    expect(config(effort)).toEqual({ thinkingConfig: { includeThoughts: false, thinkingBudget: 1024 } });
  });

  test("names what it doesn't know of them", () => {
    const fields = {
      google: { odd: 1 },
      extra_body: { x: 1, google: { y: 1 } },
      stream_options: { include_obfuscation: false },
    };
    expect(mapped(fields).ignored).toEqual([
      "google.odd",
      "extra_body.x",
      "extra_body.google.y",
      "stream_options.include_obfuscation",
    ]);
  });
});

test("safety settings are the options', overruled by the request's", () => {
  const safety = { harassment: "BLOCK_NONE", hate_speech: "OFF" } as const;
  const own = [{ category: "HARM_CATEGORY_HATE_SPEECH", threshold: "BLOCK_LOW_AND_ABOVE" }];
  expect(mapped({ cached_content: "c", safety_settings: own }, { safety }).body).toEqual({
    cachedContent: "c",
    safetySettings: [{ category: "HARM_CATEGORY_HARASSMENT", threshold: "BLOCK_NONE" }, ...own],
  });
});

describe("tools", () => {
  test("are function declarations with their schema", () => {
    const parameters = { type: "object", properties: { a: { type: "string", minLength: 1 } }, $schema: "x" };
    const { body, ignored } = mapped({
      tools: [
        tool("f", { description: "d", parameters, strict: true }),
        tool("g", { parameters: { type: "object", properties: {} } }),
        tool("h"),
      ],
    });
    expect(body).toEqual({
      tools: [
        {
          functionDeclarations: [
            {
              name: "f",
              description: "d",
              parametersJsonSchema: {
                type: "object",
                properties: { a: { type: "string", description: "{minLength: 1}" } },
              },
            },
            { name: "g" },
            { name: "h" },
          ],
        },
      ],
    });
    expect(ignored).toEqual([
      "tools[].function.strict",
      "tools[0].function.parameters.properties.a.minLength",
    ]);
  });

  test.each([
    ["auto", { mode: "AUTO" }],
    ["none", { mode: "NONE" }],
    ["required", { mode: "ANY" }],
    [tool("f"), { mode: "ANY", allowedFunctionNames: ["f"] }],
    [
      { type: "allowed_tools", allowed_tools: { mode: "required", tools: [tool("f"), tool("g")] } },
      { mode: "ANY", allowedFunctionNames: ["f", "g"] },
    ],
  ])("are chosen by %j", (tool_choice, functionCallingConfig) => {
    const { toolConfig } = mapped({ tools: [tool("f")], tool_choice } as JsonObject).body;
    expect(toolConfig).toEqual({ functionCallingConfig } as never);
  });

  test.each([
    [{ tools: [{ type: "custom", custom: { name: "x" } }] }, "unsupported", "tools[0]"],
    [{ tools: [{ type: "function" }] }, "bad-request", "tools[0].function.name"],
    [{ tool_choice: "required" }, "bad-request", "tool_choice"],
    [{ tools: [tool("f")], tool_choice: "maybe" }, "unsupported", "tool_choice"],
    [
      {
        tools: [tool("f")],
        tool_choice: { type: "allowed_tools", allowed_tools: { mode: "auto", tools: [] } },
      },
      "unsupported",
      "tool_choice",
    ],
    [{ tools: [tool("f")], tool_choice: { type: "function" } }, "bad-request", "tool_choice"],
  ] as [JsonObject, string, string][])("%j is %s of %s", (fields, code, param) => {
    expect(() => mapped(fields)).toThrow(expect.objectContaining({ code, param }));
  });

  test("may be chosen not to be used where there are none", () => {
    expect(mapped({ tools: [], tool_choice: "none" })).toEqual({ body: {}, ignored: [] });
  });
});

test.each(["../../secret", "a/../b", "gemini:countTokens?x", "", "a b", "models/"])(
  "%p is no model's name",
  (model) => {
    expect(() => parseModelName(model)).toThrow(expect.objectContaining({ code: "no-such-model" }));
  },
);

test("a tuned model is in a folder of its own", () => {
  expect(parseModelName("tunedModels/mine-1").resource).toBe("tunedModels/mine-1");
  expect(parseModelName("models/gemini-2.5-pro")).toEqual({
    resource: "models/gemini-2.5-pro",
    id: "gemini-2.5-pro",
    version: 2.5,
    isPro: true,
  });
});

test("JSON and tools together are for another upstream before Gemini 3", () => {
  const both = { response_format: { type: "json_object" }, tools: [tool("now")] };
  expect(() => mapped(both)).toThrow(
    expect.objectContaining({ code: "unsupported", param: "response_format" }),
  );
  expect(mapped(both, { model: "gemini-3-flash" }).body).toMatchObject({
    generationConfig: { responseMimeType: "application/json" },
    tools: [{ functionDeclarations: [{ name: "now" }] }],
  });
});
