import { expect, test } from "bun:test";
import fc from "fast-check";
import { HeadersCache } from "./headers-cache.ts";

test("each response has its own headers, whatever came before", () => {
  const name = fc.constantFrom("age", "content-type", "x-a", "x-b", "x-c", "vary", "set-cookie");
  const record = fc.dictionary(name, fc.constantFrom("", "1", "two", "a, b"));
  fc.assert(
    fc.property(fc.array(record, { maxLength: 40 }), (records) => {
      const repeated = new HeadersCache();
      const responses = records.map((headers) => new Response("", { headers: repeated.of(headers) }));
      for (const [at, headers] of records.entries()) {
        const expected = new Response("", { headers });
        expect([...(responses[at]?.headers ?? [])]).toEqual([...expected.headers]);
      }
    }),
  );
});

test("what can't be a header is refused, and the next response has none of it", () => {
  const repeated = new HeadersCache();
  repeated.of({ "x-a": "1", "x-b": "2" });
  expect(() => repeated.of({ "x-a": "3", "x-b": "a\nb" })).toThrow();
  expect(() => repeated.of({ "not a name": "1" })).toThrow();
  expect([...repeated.of({ "x-a": "1", "x-b": "2" })]).toEqual([
    ["x-a", "1"],
    ["x-b", "2"],
  ]);
});
