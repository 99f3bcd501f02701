import { describe, expect, test } from "bun:test";
import type { JsonObject } from "modelyard/plugin";
import { mapped } from "../../../test/support/anthropic-upstream.ts";
import { toStrictSchema } from "./schema.ts";

const NOW = { type: "function", function: { name: "now" } };

describe("tools", () => {
  test("are functions with their schema; Anthropic's own tools go as they are", () => {
    const search = { type: "web_search_20250305", name: "web_search", max_uses: 3 };
    const marked = { ...NOW, cache_control: { type: "ephemeral" } };
    expect(mapped({ tools: [marked, search] }).body["tools"]).toEqual([
      {
        name: "now",
        input_schema: { type: "object", properties: {} },
        cache_control: { type: "ephemeral" },
      },
      search,
    ]);
  });

  test("are strict where the model can, and named where it can't", () => {
    const parameters = {
      type: "object",
      properties: { n: { type: "integer", minimum: 1 } },
      required: ["n"],
    };
    const tools = [{ type: "function", function: { name: "now", strict: true, parameters } }];
    expect(mapped({ tools })).toMatchObject({
      body: {
        tools: [
          {
            strict: true,
            input_schema: {
              ...parameters,
              properties: { n: { type: "integer", description: "{minimum: 1}" } },
              additionalProperties: false,
            },
          },
        ],
      },
      ignored: ["tools[].function.parameters.minimum"],
    });
    const older = mapped({ tools }, "claude-3-haiku-20240307");
    expect(older.body["tools"]).toEqual([{ name: "now", input_schema: parameters }]);
    expect(older.ignored).toEqual(["tools[].function.strict"]);
  });

  test.each([
    [{ type: "custom", custom: { name: "sql" } }, "unsupported"],
    [{ type: "function" }, "bad-request"],
    ["now", "bad-request"],
  ])("%j is refused as %s", (tool, code) => {
    expect(() => mapped({ tools: [NOW, tool] })).toThrow(
      expect.objectContaining({ code, param: "tools[1]" }),
    );
  });
});

test("arguments of a call of tens of thousands of levels go as their text, and are not looked through", () => {
  const args = `{"a":${"[".repeat(60_000)}${"]".repeat(60_000)}}`;
  const call = { id: "toolu_1", type: "function", function: { name: "now", arguments: args } };
  const messages = [
    { role: "user", content: "Hi" },
    { role: "assistant", content: null, tool_calls: [call] },
  ];
  const { body, ignored } = mapped({ messages });
  expect(body).toHaveProperty("messages[1].content[0].input", { _invalid: args });
  expect(ignored).toEqual(["messages[].tool_calls[].function.arguments"]);
});

describe("tool_choice", () => {
  const choice = (fields: JsonObject, model?: string) =>
    mapped({ tools: [NOW], ...fields }, model).body["tool_choice"];

  test.each([
    ["auto", { type: "auto" }],
    ["none", { type: "none" }],
    ["required", { type: "any" }],
    [
      { type: "function", function: { name: "now" } },
      { type: "tool", name: "now" },
    ],
    [{ type: "any" }, { type: "any" }],
  ])("%j is %j", (asked, expected) => {
    expect(choice({ tool_choice: asked })).toEqual(expected);
  });

  test("says that one call is enough, and is not said where nothing was", () => {
    const one = { parallel_tool_calls: false };
    expect(choice({})).toBeUndefined();
    expect(choice({ parallel_tool_calls: true })).toBeUndefined();
    expect(choice({ ...one, tool_choice: "required" })).toEqual({
      type: "any",
      disable_parallel_tool_use: true,
    });
    expect(choice({ ...one, tool_choice: "none" })).toEqual({ type: "none" });
  });

  test("can't be demanded of every model, nor without tools, nor in ways unknown", () => {
    const refused = (code: string) => expect.objectContaining({ code, param: "tool_choice" });
    expect(() => choice({ tool_choice: "required" }, "claude-opus-5-5")).toThrow(refused("unsupported"));
    expect(() => choice({ tool_choice: { type: "allowed_tools" } })).toThrow(refused("unsupported"));
    expect(() => mapped({ tool_choice: "required" })).toThrow(refused("bad-request"));
    expect(mapped({ tool_choice: "auto" }).body["tool_choice"]).toBeUndefined();
  });
});

describe("response_format", () => {
  const format = (response_format: JsonObject, model?: string) => mapped({ response_format }, model);
  const schema = { type: "object", properties: { a: { type: "string", maxLength: 3 } }, required: ["a"] };

  test("a schema is guaranteed, and what of it can't be is named", () => {
    expect(format({ type: "json_schema", json_schema: { name: "x", schema } })).toMatchObject({
      body: {
        output_config: {
          format: {
            type: "json_schema",
            schema: {
              ...schema,
              properties: { a: { type: "string", description: "{maxLength: 3}" } },
              additionalProperties: false,
            },
          },
        },
      },
      ignored: ["response_format.json_schema.schema.maxLength"],
    });
  });

  test.each([
    [{ type: "json_object" }, "claude-sonnet-4-5", "unsupported"],
    [{ type: "json_schema", json_schema: { schema } }, "claude-3-haiku-20240307", "unsupported"],
    [{ type: "json_schema" }, "claude-sonnet-4-5", "bad-request"],
    [{ type: "poem" }, "claude-sonnet-4-5", "unsupported"],
  ])("%j of %s is refused as %s", (asked, model, code) => {
    expect(() => format(asked, model)).toThrow(expect.objectContaining({ code, param: "response_format" }));
  });
});

describe("a schema", () => {
  test("keeps what can be enforced, at every depth", () => {
    const kept = {
      type: "object",
      properties: {
        list: { type: "array", minItems: 1, items: { $ref: "#/$defs/one" } },
        when: { anyOf: [{ type: "string", format: "date-time" }, { type: "null" }] },
        kind: { enum: ["a", "b"], description: "which" },
      },
      required: ["list"],
      additionalProperties: false,
      $defs: { one: { type: "object", properties: {}, additionalProperties: false } },
    };
    const { schema, dropped } = toStrictSchema(kept);
    expect(schema).toEqual(kept);
    expect([...dropped]).toEqual([]);
  });

  test("tells the rest to the model, and says what that is", () => {
    const { schema, dropped } = toStrictSchema({
      type: "object",
      description: "a map",
      additionalProperties: { type: "number" },
      properties: {
        one: {
          oneOf: [
            { type: "string", format: "phone" },
            { type: "array", minItems: 2, items: true },
          ],
        },
      },
    });
    expect(schema).toEqual({
      type: "object",
      description: "a map",
      additionalProperties: false,
      properties: {
        one: {
          anyOf: [
            { type: "string", description: `{format: "phone"}` },
            { type: "array", items: true, description: "{minItems: 2}" },
          ],
        },
      },
    });
    expect([...dropped].toSorted()).toEqual(["additionalProperties", "format", "minItems"]);
  });
});
