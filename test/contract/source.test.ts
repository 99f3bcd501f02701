import { expect, test } from "bun:test";
import { forgetSource, keepSource, sourceOf } from "../../src/contract/source.ts";

test("bytes belong to one object: copies have none, nothing else shows them, and they can be let go", () => {
  const body = { model: "m" };
  const bytes = new TextEncoder().encode('{"model":"m"}');
  keepSource(body, bytes);
  expect(sourceOf(body)).toBe(bytes);
  expect(sourceOf({ ...body, temperature: 1 })).toBeUndefined();
  expect(JSON.stringify(body)).toBe('{"model":"m"}');
  expect(Object.keys(body)).toEqual(["model"]);
  forgetSource(body);
  expect(sourceOf(body)).toBeUndefined();
  forgetSource({ model: "n" });
});
