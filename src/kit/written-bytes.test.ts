import { describe, expect, test } from "bun:test";
import type { JsonObject } from "../contract/index.ts";
import { forgetSource, keepRenamed, keepSource } from "../contract/source.ts";
import { writtenBytes } from "./written-bytes.ts";

function kept(text: string): JsonObject {
  const body = JSON.parse(text) as JsonObject;
  keepSource(body, { bytes: new TextEncoder().encode(text), ascii: false });
  return body;
}

/** What is sent of a copy with another model. */
function renamed(text: string, model: string): string | undefined {
  const body = kept(text);
  const copy = { ...body, model };
  keepRenamed(copy, body);
  const bytes = writtenBytes(copy);
  return bytes && new TextDecoder().decode(bytes);
}

describe("the bytes of a body", () => {
  test("are those that its client wrote; a copy of it has none, nor has who let go of them", () => {
    const text = '{"model":"m","seed":9007199254740993}';
    const body = kept(text);
    expect(new TextDecoder().decode(writtenBytes(body))).toBe(text);
    expect(writtenBytes({ ...body })).toBeUndefined();
    const copy = { ...body, model: "n" };
    keepRenamed(copy, body);
    forgetSource(body);
    expect(writtenBytes(body)).toBeUndefined();
    expect(writtenBytes(copy)).toBeUndefined();
  });

  test.each([
    ['{"model":"m","seed":9007199254740993}', '{"model":"x/\\"y\\"","seed":9007199254740993}'],
    ['{ "n": 1e400,\n "model" \t:\r\n "mé/1" , "a":"ü" }', '{ "n": 1e400,\n "model":"x/\\"y\\"" , "a":"ü" }'],
    ['{"messages":[{"content":"m"}],"model":""}', '{"messages":[{"content":"m"}],"model":"x/\\"y\\""}'],
  ] as const)("of a copy with another model are the same but for that: %s", (text, expected) => {
    expect(renamed(text, 'x/"y"')).toBe(expected);
  });

  test("of a copy whose model was written with escapes, or at great length, are written anew", () => {
    expect(renamed('{"model":"a\\/b"}', "c")).toBeUndefined();
    expect(renamed(`{"model":${" ".repeat(5_000)}"m"}`, "c")).toBeUndefined();
  });
});
