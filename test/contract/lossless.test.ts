import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { isNumber, LosslessNumber } from "../../src/contract/lossless-number.ts";
import { parseLossless, parseWithSpellings } from "../../src/json/lossless.ts";

describe("a number that JavaScript can't hold", () => {
  const number = new LosslessNumber("2512292042121000001");

  test("is written as it was read, and else is the nearest number", () => {
    expect(JSON.stringify({ a: [number], b: new LosslessNumber("1e400") })).toBe(
      '{"a":[2512292042121000001],"b":1e400}',
    );
    expect(String(number)).toBe("2512292042121000001");
    expect(Number(number)).toBe(2512292042121000000);
    expect(Number(number) + 1 > 5).toBe(true);
    expect([number, 1, "1", null, {}].map(isNumber)).toEqual([true, true, false, false, false]);
  });

  test.each(["", "a", '"1"', "01", "1 ", "[1]", "NaN"])("is none where JSON has none: %j", (text) => {
    expect(() => JSON.stringify(new LosslessNumber(text))).toThrow(SyntaxError);
  });
});

test.each([
  ["9007199254740991", false, false],
  ["9007199254740992", false, false],
  ["9007199254740993", true, true],
  ["-12345678901234567890", true, true],
  ["1e400", true, true],
  ["-1e400", true, true],
  ["1e-400", true, true],
  ["1e21", true, true],
  ["1.0", false, true],
  ["1E2", false, true],
  ["-0", false, true],
  ["0.0", false, true],
  ["0.10", false, true],
  ["0.1", false, false],
  ["0.12345678901234567890", false, true],
])(
  "of %s the digits are kept: as what can't be held %p, as what is spelled otherwise %p",
  (text, long, spelled) => {
    for (const [parse, isKept] of [
      [parseLossless, long],
      [parseWithSpellings, spelled],
    ] as const) {
      const value = (parse(`[${text}]`) as unknown[])[0];
      expect(value instanceof LosslessNumber).toBe(isKept);
      if (isKept) expect(JSON.stringify(value)).toBe(text);
      else expect(value).toBe(Number(text));
    }
  },
);

test("all else is what the engine's parser gives", () => {
  fc.assert(
    fc.property(fc.json(), (text) => {
      const numbers = (_: string, value: unknown) => (isNumber(value) ? Number(value) : value);
      for (const parse of [parseLossless, parseWithSpellings]) {
        expect(JSON.parse(JSON.stringify(parse(text)), numbers)).toEqual(
          JSON.parse(JSON.stringify(JSON.parse(text))),
        );
      }
    }),
  );
  expect(Object.keys(parseLossless('{"__proto__":1e400}') as object)).toEqual(["__proto__"]);
});
