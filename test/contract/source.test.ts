import { expect, test } from "bun:test";
import { forgetSource, keepSource, sourceOf } from "../../src/contract/source.ts";

test("a source belongs to one object: copies have none, nothing else shows it, and it can be let go", () => {
  const body = { model: "m" };
  const source = { bytes: new TextEncoder().encode('{"model":"m"}'), ascii: true };
  keepSource(body, source);
  expect(sourceOf(body)).toBe(source);
  expect(sourceOf({ ...body, temperature: 1 })).toBeUndefined();
  expect(JSON.stringify(body)).toBe('{"model":"m"}');
  expect(Object.keys(body)).toEqual(["model"]);
  forgetSource(body);
  expect(sourceOf(body)).toBeUndefined();
  forgetSource({ model: "n" });
});
