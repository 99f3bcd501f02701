import { describe, expect, test } from "bun:test";
import type { Json } from "../../src/contract/index.ts";
import { compare, commonDifferences, formatDifference, showsChange } from "./compare.ts";
import { placesOf } from "./wire-messages.ts";
import type { WireMessage } from "./wire-messages.ts";

function saying(kind: string, ...values: readonly Json[]): WireMessage[] {
  return values.map((value) => ({ kind, places: placesOf(value), isRefusal: false }));
}

function told(before: readonly Json[], now: readonly Json[]): string[] {
  return compare(saying("a", ...before), saying("a", ...now)).map(formatDifference);
}

describe("compare", () => {
  test.each<[string, Json[], Json[], string[]]>([
    ["the same with other values", [{ a: 1, b: ["x"] }], [{ a: 2, b: ["y", "z"] }], []],
    ["more often", [{ a: 1 }], [{ a: 1 }, { a: 2 }, { a: 3 }], []],
    ["spread over several", [{ a: 1, b: 2 }], [{ a: 1 }, { b: 2 }], []],
    ["under other ids", [{ "6456df9f-f4fd-42b3-97ff-df29af7188b7": 1 }], [{ "123": 1 }], []],
    ["one of the types that were seen", [{ a: null }, { a: "x" }], [{ a: null }], []],
    ["missing", [{ a: { b: "x" } }], [{ a: {} }], ["a .a.b: string → missing"]],
    ["missing as a whole", [{ a: { b: { c: 1 } } }], [{}], ["a .a: object → missing"]],
    ["new", [{}], [{ a: [{ b: 1 }] }], ["a .a: new (array)"]],
    ["of another type", [{ a: [1] }], [{ a: ["1"] }], ["a .a[]: number → string"]],
    ["null at once", [{ a: "x" }], [{ a: null }], ["a .a: string → null"]],
    ["none of two types", [{ a: null }, { a: "x" }], [{ a: 1 }], ["a .a: null|string → number"]],
    ["something else altogether", [{ a: 1 }], [[1]], ["a (as a whole): object → array"]],
    [
      "a name that begins like another",
      [{ a: {}, ab: 1 }],
      [{}],
      ["a .a: object → missing", "a .ab: number → missing"],
    ],
  ])("%s", (_, before, now, differences) => {
    expect(told(before, now)).toEqual(differences);
  });

  test("tells of kinds that are new and of kinds that are missing", () => {
    const differences = compare(
      [...saying("a", {}), ...saying("b", {})],
      [...saying("b", {}), ...saying("c", {})],
    );
    expect(differences.map(formatDifference)).toEqual(["a: missing", "c: new"]);
  });
});

test("inBoth keeps what two comparisons found at the same place", () => {
  const first = compare(saying("a", { b: 1, c: 1 }), saying("a", { d: 1 }));
  const second = compare(saying("a", { b: 1, c: 1 }), saying("a", { c: 1, d: "x" }));
  expect(commonDifferences(first, second).map(formatDifference)).toEqual([
    "a .b: number → missing",
    "a .d: new (string)",
  ]);
});

describe("showsChange", () => {
  test("isn't moved by what is only missing, nor by a refusal", () => {
    const refusal = { kind: "POST / 429", places: [], isRefusal: true };
    const cut = compare([...saying("a", { b: 1 }), ...saying("c", {})], [...saying("a", {}), refusal]);
    expect(cut).toHaveLength(3);
    expect(showsChange(cut)).toBe(false);
  });

  test("is moved by what is new or of another type", () => {
    expect(showsChange(compare(saying("a", {}), saying("a", { b: 1 })))).toBe(true);
    expect(showsChange(compare(saying("a", { b: 1 }), saying("a", { b: "1" })))).toBe(true);
    expect(showsChange(compare([], saying("a", {})))).toBe(true);
  });
});
