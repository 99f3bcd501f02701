import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { AN, GE, startTranslation, tool } from "../support/translation.ts";
import type { Asked, Translation } from "../support/translation.ts";

/**
 * Schemas of tools as MCP servers have them: one that a vendor refuses ends the request for all tools.
 * @module
 */
let stage: Translation;

beforeAll(async () => {
  stage = await startTranslation();
});

afterAll(() => stage[Symbol.asyncDispose]());

const messages = [{ role: "user", content: "q" }];

async function ofTool(model: string, parameters: unknown): Promise<{ schema: unknown; asked: Asked }> {
  const asked = await stage.ask({ model, messages, tools: [tool("f", parameters), tool("g")] });
  expect([asked.status, asked.text.slice(0, 300)]).toEqual([200, expect.any(String)]);
  const [sent] = asked.up[0]?.tools ?? [];
  return { schema: sent?.functionDeclarations?.[0]?.parametersJsonSchema ?? sent?.input_schema, asked };
}

async function ofFormat(model: string, schema: unknown): Promise<unknown> {
  const response_format = { type: "json_schema", json_schema: { name: "x", schema } };
  const asked = await stage.ask({ model, messages, response_format });
  expect(asked.status).toBe(200);
  const { generationConfig } = asked.up[0] as { generationConfig?: { responseJsonSchema: unknown } };
  const { output_config: config } = asked.up[0] as { output_config?: { format: { schema: unknown } } };
  return generationConfig?.responseJsonSchema ?? config?.format.schema;
}

interface Schema {
  readonly [keyword: string]: unknown;
}

/** Every schema within a value, wherever it stands. */
function* schemasIn(value: unknown): Generator<Schema> {
  if (typeof value !== "object" || value === null) return;
  if (!Array.isArray(value)) yield value as Schema;
  for (const each of Object.values(value)) yield* schemasIn(each);
}

/** What Google's words are about: a name that is required and not defined, a list that is none. */
function complaints(schema: unknown): string[] {
  return [...schemasIn(schema)].flatMap(({ required, properties, items }) => {
    const names = Array.isArray(required) ? (required as unknown[]) : [];
    const lost = names.filter((name) => typeof name !== "string" || !Object.hasOwn(properties ?? {}, name));
    return [
      ...lost.map((name) => `${String(name)} is not defined`),
      ...(required !== undefined && !Array.isArray(required) ? ["required is no list"] : []),
      ...(new Set(names).size < names.length ? ["a name twice"] : []),
      ...(Array.isArray(items) ? ["items is a list"] : []),
    ];
  });
}

const LOST = { type: "object", properties: { a: { type: "string" } }, required: ["a", "gone"] };
const PLACES: (readonly [string, Schema])[] = [
  ["at the top", LOST],
  ["in a property", { type: "object", properties: { p: LOST } }],
  ["in items", { type: "object", properties: { l: { type: "array", items: LOST } } }],
  [
    "in items without properties",
    {
      type: "object",
      properties: { l: { type: "array", items: { type: "object", required: ["a"] } } },
      required: ["l", "gone"],
    },
  ],
  ["in a tuple", { type: "object", properties: { t: { type: "array", items: [LOST, LOST] } } }],
  ["in anyOf", { type: "object", properties: { p: { anyOf: [LOST, { type: "null" }] } } }],
  ["in oneOf", { type: "object", properties: { p: { oneOf: [LOST, { required: ["x"] }] } } }],
  ["in allOf", { type: "object", properties: { p: { allOf: [LOST, { required: ["y"] }] } } }],
  ["in $defs", { type: "object", properties: { p: { $ref: "#/$defs/d" } }, $defs: { d: LOST } }],
  [
    "in definitions",
    { type: "object", properties: { p: { $ref: "#/definitions/d" } }, definitions: { d: LOST } },
  ],
  [
    "in additionalProperties",
    { type: "object", properties: { p: { type: "object", additionalProperties: LOST } } },
  ],
  [
    "with required: true",
    { type: "object", properties: { a: { type: "string", required: true } }, required: true },
  ],
  ["with others than texts", { type: "object", properties: { z: {} }, required: ["z", 3, null, "z"] }],
  ["with a text", { type: "object", properties: { z: {} }, required: "z" }],
];

describe("names that are required and not defined are left out for Gemini", () => {
  test.each(PLACES)("%s", async (_, parameters) => {
    const { schema, asked } = await ofTool(GE, parameters);
    expect(complaints(parameters)).not.toEqual([]);
    expect(complaints(schema)).toEqual([]);
    expect(asked.ignored).not.toBe("");
    expect(complaints(await ofFormat(GE, parameters))).toEqual([]);
    expect(complaints(await ofFormat(AN, parameters))).toEqual([]);
  });

  test("and those that are stay", async () => {
    const { schema } = await ofTool(GE, LOST);
    expect(schema).toMatchObject({ required: ["a"], properties: { a: { type: "string" } } });
    const { schema: merged } = await ofTool(GE, { allOf: [LOST, { properties: { gone: {} } }] });
    expect(merged).toMatchObject({ required: ["a", "gone"] });
  });
});

test("tuples of the seventh draft become prefixItems", async () => {
  const tuple = { type: "array", items: [{ type: "string" }, { type: "number" }], additionalItems: false };
  for (const model of [GE, AN]) {
    const { schema } = await ofTool(model, { type: "object", properties: { t: tuple } });
    expect(schema).toMatchObject({
      properties: { t: { type: "array", prefixItems: [{ type: "string" }, { type: "number" }] } },
    });
  }
});

describe("one odd schema doesn't end the request", () => {
  const within = (p: unknown) => ({ type: "object", properties: { p, q: { type: "string" } } });
  test.each([
    ["a $ref to nothing", within({ $ref: "#/$defs/none" })],
    ["a $ref to another document", within({ $ref: "https://example.com/a.json" })],
    ["a $ref to itself", within({ $ref: "#/properties/p" })],
    [
      "an allOf without end",
      { type: "object", properties: { p: { allOf: [{ $ref: "#" }] }, q: { type: "string" } } },
    ],
    ["a false property", within(false)],
    ["a property that is none", within("string")],
    ["items that are none", within({ type: "array", items: 3 })],
    [
      "a list of properties",
      { type: "object", properties: { p: { properties: [] }, q: { type: "string" } } },
    ],
    ["types that are none", within({ type: "any" })],
    ["a null type", within({ type: null })],
    ["counts that are none", within({ type: "array", minItems: "1", maxItems: -1 })],
    ["limits that are none", within({ type: "number", minimum: "0", maximum: null })],
    ["a title that is none", within({ title: 3, description: ["a"] })],
    ["an enum that is none", within({ enum: [] })],
    ["an anyOf that is none", within({ anyOf: {} })],
  ])("%s", async (_, parameters) => {
    const { schema, asked } = await ofTool(GE, parameters);
    expect(schema).toMatchObject({ properties: { q: { type: "string" } } });
    expect(Object.keys((schema as { properties: object }).properties)).toEqual(["p", "q"]);
    const isEmpty = JSON.stringify(parameters).includes('"properties":[]');
    expect(asked.ignored === "").toBe(isEmpty);
  });

  test("a property that nothing describes is open", async () => {
    for (const p of [false, "string", { $ref: "#/$defs/none" }]) {
      const { schema } = await ofTool(GE, within(p));
      expect(schema).toEqual({ type: "object", properties: { p: {}, q: { type: "string" } } });
    }
  });

  test.each([true, false])("parameters: %p", async (parameters) => {
    for (const model of [GE, AN]) {
      const { asked } = await ofTool(model, parameters);
      expect(asked.up[0]?.tools.flatMap((each) => each.functionDeclarations ?? [each])).toHaveLength(2);
      expect(decodeURIComponent(asked.ignored)).toContain("function.parameters");
    }
  });

  test("Google's own types in capitals are the same in small letters", async () => {
    const { schema } = await ofTool(GE, { type: "OBJECT", properties: { a: { type: "STRING" } } });
    expect(schema).toEqual({ type: "object", properties: { a: { type: "string" } } });
  });
});

test.each([
  [{ type: "number", exclusiveMinimum: 0 }, "{exclusiveMinimum: 0}"],
  [{ type: "string", pattern: "^a" }, '{pattern: "^a"}'],
  [{ type: "string", minLength: 1, maxLength: 9 }, "{minLength: 1, maxLength: 9}"],
  [{ type: "string", format: "uri", description: "where" }, 'where\n\n{format: "uri"}'],
  [{ type: "boolean", enum: [true] }, "{enum: [true]}"],
  [{ type: "number", minimum: 0, exclusiveMinimum: true }, "{exclusiveMinimum: 0}"],
])("what Gemini doesn't heed is told in the description, and named: %j", async (p, description) => {
  const { schema, asked } = await ofTool(GE, { type: "object", properties: { p } });
  expect(schema).toMatchObject({ properties: { p: { type: p.type, description } } });
  expect(asked.ignored).not.toBe("");
});

test("Anthropic is sent valid schemas, as it refuses the request for any other", async () => {
  const parameters = {
    properties: {
      a: { type: "string", required: true },
      b: { minimum: 1, exclusiveMinimum: true },
      c: { properties: [] },
    },
    required: ["a", "a"],
  };
  const { schema } = await ofTool(AN, parameters);
  expect(schema).toEqual({
    type: "object",
    properties: { a: { type: "string" }, b: { exclusiveMinimum: 1 }, c: { properties: {} } },
    required: ["a"],
  });
  const sound = {
    type: "object",
    properties: { a: { anyOf: [{ type: "string", minLength: 2 }] } },
    required: ["gone"],
  };
  expect((await ofTool(AN, sound)).schema).toEqual(sound);
});

test.each([
  [
    { properties: { a: {}, b: {} }, anyOf: [{ required: ["a"] }, { required: ["b"] }] },
    {
      type: "object",
      properties: { a: {}, b: {} },
      description: '{anyOf: [{"required":["a"]},{"required":["b"]}]}',
    },
  ],
  [
    { description: "d", oneOf: [{ type: "object", properties: { a: {} }, required: ["a"] }] },
    {
      type: "object",
      properties: { a: {} },
      description: 'd\n\n{oneOf: [{"type":"object","properties":{"a":{}},"required":["a"]}]}',
    },
  ],
  [
    { properties: { a: {} }, required: ["a"], allOf: [{ properties: { b: {} }, required: ["b", "a"] }] },
    {
      type: "object",
      properties: { b: {}, a: {} },
      required: ["a", "b"],
      description: '{allOf: [{"properties":{"b":{}},"required":["b","a"]}]}',
    },
  ],
])(
  "choices at the top of a schema, which Anthropic refuses, are told in the description: %j",
  async (given, expected) => {
    const { schema, asked } = await ofTool(AN, given);
    expect(schema).toEqual(expected);
    expect(asked.ignored).toBe("tools[].function.parameters: 1 keyword");
    const nested = { type: "object", properties: { p: given } };
    expect((await ofTool(AN, nested)).schema).toEqual(nested);
  },
);

test("numbers keep their digits in schemas, arguments and descriptions", async () => {
  const long = "9223372036854775807";
  const body = `{"model":"MODEL","messages":[{"role":"user","content":"q"},{"role":"assistant","tool_calls":[{"id":"c.1","type":"function","function":{"name":"f.x","arguments":"{\\"id\\":${long}}"}}]},{"role":"tool","tool_call_id":"c.1","content":"r"}],"tools":[{"type":"function","function":{"name":"f.x","parameters":{"type":"object","required":["a","gone"],"properties":{"a":{"maximum":${long},"exclusiveMaximum":${long},"enum":[${long}],"items":[{"const":${long}}]}}}}}]}`;
  for (const model of [AN, GE]) {
    const asked = await stage.askText(body.replace("MODEL", model));
    expect(asked.status).toBe(200);
    // Each once, and for Gemini one of them as a limit in the description.
    expect(asked.raw[0]?.split(long).length).toBe(6);
    expect(asked.raw[0]).not.toContain("922337203685477600");
  }
});
