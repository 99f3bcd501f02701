import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { MAX_NESTING } from "../../src/json/nesting.ts";
import { scanTopLevel } from "../../src/json/top-level.ts";

function scan(text: string) {
  const bytes = Buffer.from(text);
  const { members, ...rest } = scanTopLevel(text, bytes.length);
  const spans = members.map(({ name, at, from, to }) => [
    name,
    bytes.toString("utf8", at, from),
    bytes.toString("utf8", from, to),
  ]);
  return { members: spans, ...rest };
}

/** What an object's members are by the engine's own parser, those of one name together. */
function parsed(text: string): Map<string, unknown> {
  return new Map(Object.entries(JSON.parse(text) as object));
}

/** JSON as others write it: with blanks wherever they may be, and letters as escapes. */
const written = fc
  .tuple(fc.dictionary(fc.string({ unit: "binary" }), fc.jsonValue()), fc.infiniteStream(fc.nat(5)))
  .map(([object, choices]) => {
    const next = () => choices.next().value ?? 0;
    const blank = () => ["", "", " ", "\n", "\t", "\r\n"][next()] ?? "";
    const letter = (unit: string) =>
      next() === 0 ? `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}` : unit;
    const text = (json: string) =>
      json.replaceAll(/\\u[\da-f]{4}|\\.|[a-z]/g, (unit) => (unit.length > 1 ? unit : letter(unit)));
    const write = (value: unknown): string => {
      if (typeof value === "string") return text(JSON.stringify(value));
      if (typeof value !== "object" || value === null) return JSON.stringify(value);
      if (Array.isArray(value)) return `[${value.map((each) => blank() + write(each) + blank()).join(",")}]`;
      const members = Object.entries(value).map(
        ([name, each]) =>
          `${blank()}${text(JSON.stringify(name))}${blank()}:${blank()}${write(each)}${blank()}`,
      );
      return `{${members.join(",")}${members.length === 0 ? blank() : ""}}`;
    };
    return blank() + write(object) + blank();
  });

describe("the members at the top", () => {
  test("are those that the parser finds, with their values' texts", () => {
    fc.assert(
      fc.property(written, (text) => {
        const { members, doubled, isTooDeep } = scan(text);
        expect([doubled, isTooDeep]).toEqual([undefined, false]);
        const found = new Map(
          members.map(([name = "", , value = ""]) => [name, JSON.parse(value) as unknown]),
        );
        expect(found).toEqual(parsed(text));
        for (const [name, , value = ""] of members) {
          expect(value).toBe(value.trim());
          expect(name).toBeString();
        }
      }),
      { numRuns: 2_000 },
    );
  });

  test.each([
    ["{}", []],
    [" \n{ } ", []],
    ['{"a":1}', [["a", '"a":', "1"]]],
    [
      '{ "a" : "\\"}\\\\" , "b":[{"a":2}, "]"] }',
      [
        ["a", '"a" : ', '"\\"}\\\\"'],
        ["b", '"b":', '[{"a":2}, "]"]'],
      ],
    ],
    ['{"__proto__":{"a":1}}', [["__proto__", '"__proto__":', '{"a":1}']]],
    ['{"\\u006dodel":null}', [["model", '"\\u006dodel":', "null"]]],
    ['{"é\\ud83d":-1.5e3}', [["é\ud83d", '"é\\ud83d":', "-1.5e3"]]],
    ['[{"a":1}]', []],
    ['"a"', []],
  ])("of %s", (text, members) => {
    expect(scan(text).members).toEqual(members);
  });

  test("end where strings of any length do, whatever escapes are in them", () => {
    for (let length = 0; length < 100; length++) {
      for (const tail of ['\\"', "\\\\", '\\\\\\"', "\\n"]) {
        const value = `"${"x".repeat(length)}${tail}"`;
        expect(scan(`{"a":${value},"b":1}`).members.map(([, , text]) => text)).toEqual([value, "1"]);
      }
    }
  });
});

describe("a name that stands twice", () => {
  test.each([
    ['{"a":1,"b":{"a":1}}', undefined],
    ['{"a":1,"b":2,"a":3}', "a"],
    ['{"model":1,"m\\u006fdel":3}', "model"],
    ['{"__proto__":1,"__proto__":2}', "__proto__"],
    [`{${Array.from({ length: 40 }, (_, index) => `"n${index % 39}":1`).join(",")}}`, "n0"],
  ])("is found: %s", (text, doubled) => {
    expect(scan(text).doubled).toBe(doubled);
  });

  test("is one of which the parser has fewer", () => {
    const names = fc.array(fc.constantFrom("a", "b", "ab", "\\u0061", "__proto__", "é"), { maxLength: 24 });
    fc.assert(
      fc.property(names, (list) => {
        const text = `{${list.map((name, index) => `"${name}":${index}`).join(",")}}`;
        const { members, doubled } = scan(text);
        expect(doubled !== undefined).toBe(parsed(text).size < members.length);
      }),
    );
  });
});

test("more levels than any request has are found, and no fewer", () => {
  const nested = (levels: number) => `{"a":${"[".repeat(levels - 1)}${"]".repeat(levels - 1)}}`;
  expect(scan(nested(MAX_NESTING)).isTooDeep).toBe(false);
  expect(scan(nested(MAX_NESTING + 1)).isTooDeep).toBe(true);
  expect(scan(`{"a":"${"[".repeat(MAX_NESTING)}"}`).isTooDeep).toBe(false);
  expect(scan("[".repeat(100_000)).isTooDeep).toBe(true);
});

test.each([
  ["9007199254740991", false],
  ["9007199254740993", true],
  ["-9223372036854775808", true],
  ["10000000000000000", false],
  ["1e400", true],
  ["1E-400", true],
  ["0e400", false],
  ["1.0", false],
  ["0.1234567890123456789", false],
  ['"9007199254740993"', false],
])("a number that JavaScript can't hold is found at any level: %s", (value, expected) => {
  for (const text of [`{"a":${value}}`, `{"a":{"b":[1, ${value} ]},"c":1}`, `[${value}]`]) {
    expect(scan(text).hasLongNumbers).toBe(expected);
  }
});

test("what is no JSON ends it, whatever stands there", () => {
  const pieces = fc.array(fc.constantFrom(...'{}[]:,"\\ 1e-a'.split(""), '"a":', "\\u00", "é"), {
    maxLength: 30,
  });
  fc.assert(
    fc.property(pieces, (list) => {
      const text = list.join("");
      const { members } = scanTopLevel(text, Buffer.byteLength(text));
      for (const { at, from, to } of members) expect(at < from && from <= to).toBe(true);
    }),
    { numRuns: 2_000 },
  );
});
