import { expect, test } from "bun:test";
import type { TSchema } from "@sinclair/typebox";
import { Duration, Secret, Type } from "../src/contract/options.ts";
import { checkValue } from "./check.ts";
import { toValue } from "./document/document.ts";
import { expandDocument } from "./document/expand.ts";
import { parseYaml } from "./document/parse.ts";

const environment = { THREE: "3", WORD: "word", EMPTY: "", TRUE: "true" };

/** Checks the options of an upstream as the host does. */
function check(schema: TSchema, options: string) {
  const indented = options.replaceAll(/^/gm, "      ");
  const parsed = parseYaml("gateway.yaml", `upstreams:\n  mine:\n    options:\n${indented}\n`);
  const { document, problems } = expandDocument(parsed.document, environment);
  const path = ["upstreams", "mine", "options"];
  const node = document.node(path);
  const checked = checkValue(schema, node && toValue(node), { document, path });
  const lines = [...parsed.problems, ...problems, ...checked.problems].map(
    ({ line, column, path, message }) => `${line}:${column} ${path}: ${message}`,
  );
  return { ...checked, lines };
}

const strict = { additionalProperties: false };

test("durations become milliseconds, those of defaults too, in maps, lists, records and unions", () => {
  const schema = Type.Object(
    {
      wait: Duration({ default: "2s" }),
      list: Type.Array(Duration()),
      each: Type.Record(Type.String(), Type.Object({ every: Duration({ default: "1m" }) })),
      either: Type.Union([Type.Literal("never"), Duration()]),
    },
    strict,
  );
  const { value, lines } = check(schema, "list: [1ms, 1s]\neach: { a: {}, b: { every: 5s } }\neither: 1h");
  expect(lines).toEqual([]);
  expect(value).toEqual({
    wait: 2000,
    list: [1, 1000],
    each: { a: { every: 60_000 }, b: { every: 5000 } },
    either: 3_600_000,
  });
});

test("secrets are collected, converted values included, and never shown", () => {
  const schema = Type.Object(
    { key: Secret(), more: Type.Array(Secret()), other: Type.Optional(Secret()) },
    strict,
  );
  expect(check(schema, "key: one\nmore: [two, '$${x}', '${WORD}']").secrets).toEqual([
    "one",
    "two",
    "${x}",
    "word",
  ]);
  const wrong = check(schema, "key: { a: hidden-1 }\nmore: hidden-2\nother: 5555");
  expect(wrong.lines).toEqual([
    "4:12 upstreams.mine.options.key: expected a text that isn't empty, found a map",
    "5:13 upstreams.mine.options.more: expected a list, found a text",
    "6:14 upstreams.mine.options.other: expected a text that isn't empty, found a number",
  ]);
});

test("what an expansion gave is converted to what the schema wants", () => {
  const schema = Type.Object({
    integer: Type.Integer(),
    number: Type.Number(),
    text: Type.String(),
    flag: Type.Boolean(),
    off: Type.Boolean({ default: true }),
    choice: Type.Union([Type.Literal(3), Type.Literal("auto")]),
    either: Type.Union([Type.Integer(), Type.String()]),
    absent: Type.Optional(Type.Integer()),
    list: Type.Array(Type.Integer()),
    anything: Type.Unknown(),
  });
  const { value, lines } = check(
    schema,
    [
      "{ integer: '${THREE}', number: '-${THREE}.5e1', text: '${THREE}', flag: '${TRUE}', off: '${EMPTY}',",
      "choice: '${THREE}', either: '${THREE}', absent: '${EMPTY}', list: ['1${THREE}'], anything: '${THREE}' }",
    ].join("\n"),
  );
  expect(lines).toEqual([]);
  expect(value).toEqual({
    integer: 3,
    number: -35,
    text: "3",
    flag: true,
    off: false,
    choice: 3,
    either: "3",
    list: [13],
    anything: "3",
  });
});

test("what can't be converted is reported by the variable's name", () => {
  const schema = Type.Object({
    integer: Type.Integer(),
    flag: Type.Boolean(),
    list: Type.Array(Type.String()),
  });
  expect(check(schema, "integer: ${WORD}\nflag: ${THREE}\nlist: ${WORD}").lines).toEqual([
    "4:16 upstreams.mine.options.integer: expected a whole number, found the value of WORD",
    "5:13 upstreams.mine.options.flag: expected true or false, found the value of THREE",
    "6:13 upstreams.mine.options.list: expected a list, found the value of WORD",
  ]);
});

test("an empty expansion where a text is required is reported", () => {
  expect(check(Type.Object({ key: Secret() }), "key: ${EMPTY}").lines).toEqual([
    "4:12 upstreams.mine.options.key: expected a text that isn't empty, found the empty value of EMPTY",
  ]);
});

test("an unset variable is reported once, not again as a wrong value", () => {
  expect(check(Type.Object({ count: Type.Integer() }), "count: ${NONE}").lines).toEqual([
    "4:14 upstreams.mine.options.count: NONE is not set in the environment",
  ]);
});

test("options that are not there are filled with defaults, and a missing key is reported at its parent", () => {
  const optional = Type.Object({ size: Type.Integer({ default: 3 }) });
  const { document } = parseYaml("gateway.yaml", "upstreams:\n  mine: { plugin: x }\n");
  const at = { document, path: ["upstreams", "mine", "options"] };
  expect(checkValue(optional, {}, at)).toEqual({ value: { size: 3 }, problems: [], secrets: [] });
  expect(checkValue(Type.Object({ size: Type.Integer() }), {}, at).problems).toEqual([
    {
      file: "gateway.yaml",
      line: 2,
      column: 3,
      path: "upstreams.mine.options.size",
      message: "missing; expected a whole number",
    },
  ]);
});

test("of a union of maps the one that was meant is checked", () => {
  const schema = Type.Object({
    auth: Type.Union([
      Type.Object({ type: Type.Literal("header"), name: Type.String() }, strict),
      Type.Object({ type: Type.Literal("query"), parameter: Type.String() }, strict),
    ]),
  });
  expect(check(schema, "auth: { type: query, paramter: a }").lines).toEqual([
    "4:7 upstreams.mine.options.auth.parameter: missing; expected a text",
    '4:28 upstreams.mine.options.auth.paramter: unknown key; did you mean "parameter"?',
  ]);
  expect(check(schema, "auth: { type: cookie }").lines).toEqual([
    "4:13 upstreams.mine.options.auth: expected a map (key: value) or a map (key: value), found a map",
  ]);
});

test("a map is no list and a list no map, whatever their defaults", () => {
  const schema = Type.Object({
    list: Type.Array(Type.String(), { default: ["a"] }),
    map: Type.Object({ a: Type.Integer({ default: 1 }) }, { default: {} }),
  });
  expect(check(schema, "list: { a: b }\nmap: []").lines).toEqual([
    "4:13 upstreams.mine.options.list: expected a list, found a map",
    "5:12 upstreams.mine.options.map: expected a map (key: value), found an empty list",
  ]);
});

test("a default that is a list is not mixed with an empty one", () => {
  const schema = Type.Object({ list: Type.Array(Type.String(), { default: ["*"] }) });
  expect(check(schema, "list: []").value).toEqual({ list: [] });
});

test("limits are said in words", () => {
  const schema = Type.Object({
    a: Type.Integer({ minimum: 1 }),
    b: Type.Number({ exclusiveMinimum: 0, maximum: 1 }),
    c: Type.String({ minLength: 2, maxLength: 3 }),
    d: Type.Array(Type.Integer(), { maxItems: 1, uniqueItems: true }),
    e: Type.String({ pattern: "^x" }),
    f: Type.Tuple([Type.Integer(), Type.Integer()]),
  });
  expect(check(schema, "a: 0\nb: 0\nc: abcd\nd: [1, 1]\ne: https://user:pass@host\nf: [1]").lines).toEqual([
    "4:10 upstreams.mine.options.a: expected a whole number, at least 1, found 0",
    "5:10 upstreams.mine.options.b: expected a number, more than 0 and at most 1, found 0",
    '6:10 upstreams.mine.options.c: expected a text of at least 2 characters and at most 3 characters, found "abcd"',
    "7:10 upstreams.mine.options.d: expected a list of at most 1 in which nothing is twice, found a list",
    '8:10 upstreams.mine.options.e: expected a text that matches ^x, found "https://…@host"',
    "9:10 upstreams.mine.options.f: expected a list of 2, found a list",
  ]);
});

test("schemas that TypeBox itself refuses are checked: plain JSON Schema, enumerations, unknown formats", () => {
  const schema = Type.Object({
    level: Type.Unsafe<"low" | "high">({ type: "string", enum: ["low", "high"] }),
    url: Type.String({ format: "nowhere-registered" }),
    raw: Type.Unsafe<{ size: number }>({ type: "object", properties: { size: { type: "integer" } } }),
    both: Type.Intersect([Type.Object({ x: Duration() }), Type.Object({ y: Type.Integer({ default: 2 }) })]),
  });
  const good = check(schema, "level: low\nurl: a\nraw: { size: 1 }\nboth: { x: 1s }");
  expect(good.lines).toEqual([]);
  expect(good.value).toEqual({ level: "low", url: "a", raw: { size: 1 }, both: { x: 1000, y: 2 } });
  expect(check(schema, "level: mid\nurl: a\nraw: { size: x }\nboth: { x: soon }").lines).toEqual([
    '4:14 upstreams.mine.options.level: expected "low" or "high", found "mid"',
    '6:20 upstreams.mine.options.raw.size: expected a whole number, found "x"',
    '7:18 upstreams.mine.options.both.x: expected a duration such as 30s, found "soon"',
  ]);
});

test("fixed values, nothing, and maps without keys are said in words", () => {
  const schema = Type.Object({
    version: Type.Literal(1),
    none: Type.Null(),
    empty: Type.Object({}, strict),
    never: Type.Optional(Type.Never()),
  });
  expect(check(schema, "version: 2\nnone: 0\nempty: { a: 1 }\nnever: 1").lines).toEqual([
    "4:16 upstreams.mine.options.version: expected 1, found 2",
    "5:13 upstreams.mine.options.none: expected nothing, found 0",
    "6:16 upstreams.mine.options.empty.a: unknown key; none is known here",
    "7:14 upstreams.mine.options.never: expected something else, found 1",
  ]);
});

test("maps with a number of keys say what they want of it, and never a key that was written", () => {
  const parts = { text: Type.Optional(Type.String()), wait: Type.Optional(Duration()) };
  const one = { ...strict, minProperties: 1, maxProperties: 1 };
  const schema = Type.Object({
    steps: Type.Array(Type.Object(parts, one)),
    names: Type.Record(Type.String(), Type.String(), { minProperties: 2 }),
  });
  const steps = "steps: [{ text: a, wait: 1s }, {}, soon, { text: a }]";
  expect(check(schema, `${steps}\nnames: { hidden: b }`).lines).toEqual([
    "4:15 upstreams.mine.options.steps[0]: expected a map with exactly one of text, wait, found a map with 2 keys",
    "4:38 upstreams.mine.options.steps[1]: expected a map with exactly one of text, wait, found a map with no keys",
    "4:42 upstreams.mine.options.steps[2]: expected a map with exactly one of text, wait, found a text",
    "5:14 upstreams.mine.options.names: expected a map whose number of keys is at least 2, found a map with 1 key",
  ]);
});

test("the value that is given is not changed", () => {
  const { document } = parseYaml("gateway.yaml", "a: 1");
  const value = Object.freeze({ list: Object.freeze(["1s"]) });
  const schema = Type.Object({ list: Type.Array(Duration()), more: Type.Integer({ default: 1 }) });
  expect(checkValue(schema, value, { document, path: [] }).value).toEqual({ list: [1000], more: 1 });
  expect(value).toEqual({ list: ["1s"] });
});
