import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { JsonObject } from "../../src/contract/json.ts";
import { forgetSource, keepMeaning, retainSource, sourceOf, originalBody } from "../../src/json/source.ts";
import { scanTopLevel } from "../../src/json/top-level.ts";

function kept(text: string): JsonObject {
  const body = JSON.parse(text) as JsonObject;
  const bytes = new TextEncoder().encode(text);
  retainSource(body, { bytes, members: scanTopLevel(text, bytes.length).members, ascii: false });
  return body;
}

function written(body: JsonObject): string | undefined {
  const bytes = originalBody(body);
  return bytes && new TextDecoder().decode(bytes);
}

function without(body: JsonObject, ...names: string[]): JsonObject {
  const copy: Record<string, unknown> = { ...body };
  for (const name of names) delete copy[name];
  return copy as JsonObject;
}

test("a source belongs to a body and its copies, nothing else shows it, and it can be let go", () => {
  const text = '{"model":"m","seed":9007199254740993}';
  const body = kept(text);
  const copy = { ...body, model: "n" };
  expect(written(body)).toBe(text);
  expect(written({ ...body })).toBe(text);
  expect(JSON.stringify(body)).toBe('{"model":"m","seed":9007199254740992}');
  expect(Object.keys(copy)).toEqual(["model", "seed"]);
  expect(sourceOf(JSON.parse(text) as JsonObject)).toBeUndefined();
  forgetSource(body);
  for (const each of [body, copy])
    expect([sourceOf(each), originalBody(each)]).toEqual([undefined, undefined]);
  forgetSource({ model: "n" });
});

describe("what a copy has", () => {
  const text = '{ "a" : 1.0,\n "model" \t:\r\n "mé/1" , "b":[ 1e400 ],"":"ü" }';

  test.each<[string, (body: JsonObject) => JsonObject, string]>([
    ["another value", (body) => ({ ...body, model: 'x/"y"' }), text.replace('"mé/1"', '"x/\\"y\\""')],
    ["no first member", (body) => without(body, "a"), text.replace('"a" : 1.0,\n ', "")],
    ["no member in the middle", (body) => without(body, "b"), text.replace(' , "b":[ 1e400 ]', "")],
    ["an undefined member", (body) => ({ ...body, b: undefined }), text.replace(' , "b":[ 1e400 ]', "")],
    ["no last member", (body) => without(body, ""), text.replace(',"":"ü"', "")],
    [
      "more",
      (body) => ({ ...body, c: { d: "\ud83d" }, e: undefined }),
      text.replace('ü"', 'ü","c":{"d":"\ufffd"}'),
    ],
    ["nothing else", (body) => ({ ...without(body, "a", "model", "b", ""), c: 1 }), '{ "c":1 }'],
  ])("is so in its bytes: %s", (_, change, expected) => {
    expect(written(change(kept(text)))).toBe(expected);
  });

  test("is as it was written where it means the same", () => {
    const body = kept('{"input":"a", "encoding":"x"}');
    const { encoding: _, ...rest } = body;
    const copy = keepMeaning({ ...rest, input: ["a"] });
    expect(written(copy)).toBe('{"input":"a"}');
    expect(written({ ...copy, input: ["b"] })).toBe('{"input":["b"]}');
  });

  test("is what a parser reads in the bytes, whatever was changed", () => {
    const members = fc.dictionary(fc.string({ unit: "binary" }), fc.jsonValue(), { maxKeys: 8 });
    const change = fc.record({ keeps: fc.func(fc.boolean()), others: members });
    fc.assert(
      fc.property(members, change, (object, { keeps, others }) => {
        const body = kept(JSON.stringify(object, undefined, 1));
        const dropped = Object.keys(body).filter((name) => !keeps(name));
        const copy: Record<string, unknown> = { ...body, ...others };
        for (const name of dropped) delete copy[name];
        expect(JSON.parse(written(copy as JsonObject) ?? "")).toEqual(
          JSON.parse(JSON.stringify(copy).toWellFormed()),
        );
      }),
      { numRuns: 1_000 },
    );
  });
});
