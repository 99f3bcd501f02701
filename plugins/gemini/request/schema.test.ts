import { describe, expect, test } from "bun:test";
import type { Json } from "modelyard/plugin";
import { testCall } from "../../../test/support/plugin-host.ts";
import { geminiSchema } from "./schema.ts";

function converted(schema: Json) {
  const { call, ignored } = testCall();
  return { schema: geminiSchema(schema, { path: "s", call }) as Json, ignored: [...ignored.keys()] };
}

describe("a schema", () => {
  test("of what Gemini heeds stays as it is", () => {
    const schema = {
      type: "object",
      title: "Trip",
      properties: {
        city: { type: "string", description: "where", enum: ["Lisbon", "Porto"] },
        days: { type: ["integer", "null"], minimum: 1, maximum: 14, format: "int32" },
        from: { type: "string", format: "date" },
        stops: { type: "array", items: { $ref: "#/$defs/stop" }, minItems: 1, maxItems: 9 },
        pair: { type: "array", prefixItems: [{ type: "number" }, {}] },
        way: { anyOf: [{ type: "string" }, { type: "number", enum: [1, 2] }] },
        __proto__x: { oneOf: [{ type: "null" }] },
      },
      required: ["city"],
      additionalProperties: false,
      $defs: { stop: { type: "object", properties: { next: { $ref: "#/$defs/stop" } } } },
    };
    expect(converted(schema)).toEqual({ schema, ignored: [] });
  });

  test.each([
    [{ const: "a" }, { enum: ["a"] }],
    [{ type: "string", nullable: true }, { anyOf: [{ type: "string" }, { type: "null" }] }],
    [
      { type: ["string", "null"], enum: ["a", null] },
      { anyOf: [{ type: "string", enum: ["a"] }, { type: "null" }] },
    ],
    [{ items: true }, { items: {} }],
    [{ $schema: "x", $comment: "y", type: "string" }, { type: "string" }],
    [
      { definitions: { a: { type: "string" } }, properties: { a: { $ref: "#/definitions/a" } } },
      { $defs: { a: { type: "string" } }, properties: { a: { $ref: "#/$defs/a" } } },
    ],
    [
      { $defs: { a: { type: "string" } }, properties: { a: { $ref: "#/$defs/a", description: "here" } } },
      { $defs: { a: { type: "string" } }, properties: { a: { type: "string", description: "here" } } },
    ],
    [
      { properties: { a: { type: "string" }, b: { $ref: "#/properties/a" } } },
      { properties: { a: { type: "string" }, b: { type: "string" } } },
    ],
    [
      { $ref: "#/$defs/a", $defs: { a: { type: "object" } } },
      { $ref: "#/$defs/a", $defs: { a: { type: "object" } } },
    ],
    [
      {
        allOf: [
          { properties: { a: {} }, required: ["a"] },
          { type: "object", properties: { b: {} }, required: ["b"] },
        ],
      },
      { type: "object", properties: { a: {}, b: {} }, required: ["a", "b"] },
    ],
    [
      { description: "d", allOf: [{ $ref: "#/$defs/a" }], $defs: { a: { type: "string" } } },
      { description: "d", type: "string", $defs: { a: { type: "string" } } },
    ],
  ] as [Json, Json][])("is converted: %j", (schema, expected) => {
    expect(converted(schema)).toEqual({ schema: expected, ignored: [] });
  });

  test.each([
    [
      { type: "string", pattern: "^a", minLength: 1 },
      { type: "string", description: '{pattern: "^a", minLength: 1}' },
      ["s.pattern", "s.minLength"],
    ],
    [
      { properties: { a: { multipleOf: 2 } } },
      { properties: { a: { description: "{multipleOf: 2}" } } },
      ["s.properties.a.multipleOf"],
    ],
    [{ type: "string", format: "email" }, { type: "string", description: '{format: "email"}' }, ["s.format"]],
    [{ type: "boolean", enum: [true] }, { type: "boolean", description: "{enum: [true]}" }, ["s.enum"]],
    [{ const: { a: 1 } }, { description: '{const: {"a":1}}' }, ["s.const"]],
    [{ not: {}, if: {} }, { description: "{not: {}, if: {}}" }, ["s.not", "s.if"]],
    [{ properties: { a: false } }, { properties: { a: {} } }, ["s.properties.a"]],
    [{ items: { $ref: "https://example.com/a.json" } }, { items: {} }, ["s.items.$ref"]],
    [{ items: { $ref: "#/$defs/none", title: "t" } }, { items: { title: "t" } }, ["s.items.$ref"]],
    [{ properties: [] }, { properties: {} }, []],
    [{ items: 3 }, { items: {} }, ["s.items"]],
    [{ allOf: [{ type: "string" }, { type: "number" }] }, { type: "string" }, ["s.allOf"]],
    [
      { anyOf: [{ uniqueItems: true }] },
      { anyOf: [{ description: "{uniqueItems: true}" }] },
      ["s.anyOf[0].uniqueItems"],
    ],
  ] as [Json, Json, string[]][])("is cut down, and says where: %j", (schema, expected, ignored) => {
    expect(converted(schema)).toEqual({ schema: expected, ignored });
  });

  test("that is within itself keeps its reference, and loses what stands beside it", () => {
    const node = { type: "object", properties: { next: { $ref: "#/$defs/node", description: "the next" } } };
    const { schema, ignored } = converted({ properties: { a: { $ref: "#/$defs/node" } }, $defs: { node } });
    expect(schema).toMatchObject({
      $defs: { node: { properties: { next: { properties: { next: { $ref: "#/$defs/node" } } } } } },
    });
    expect(ignored).toEqual(["s.$defs.node.properties.next.properties.next.description"]);
  });

  test("that doubles at each step ends all the same", () => {
    const step = (index: number) => ({ $ref: `#/$defs/d${index + 1}`, description: "x" });
    const definitions = Array.from({ length: 30 }, (_, index) => [
      `d${index}`,
      { properties: { a: step(index), b: step(index) } },
    ]);
    const $defs = { ...Object.fromEntries(definitions), d30: { type: "string" } };
    expect(JSON.stringify(converted({ $ref: "#/$defs/d0", $defs })).length).toBeLessThan(1_000_000);
  });

  test.each([{ allOf: [{ $ref: "#" }] }, { properties: { a: { $ref: "#/properties/a" } } }] as Json[])(
    "without an end is open where it would go on: %j",
    (schema) => {
      const { schema: sent, ignored } = converted(schema);
      expect(JSON.stringify(sent)).not.toContain("$ref");
      expect(ignored).not.toEqual([]);
    },
  );

  test("that is none is refused", () => {
    expect(() => converted("text")).toThrow(expect.objectContaining({ code: "bad-request", param: "s" }));
  });
});
