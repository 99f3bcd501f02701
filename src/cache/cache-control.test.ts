import { expect, test } from "bun:test";
import { cacheDirectives } from "./cache-control.ts";

const NONE = { noCache: false, noStore: false, maxAge: Infinity };

test.each([
  [null, NONE],
  ["", NONE],
  ["no-cache", { ...NONE, noCache: true }],
  ["No-Cache, no-transform", { ...NONE, noCache: true }],
  ["no-store", { ...NONE, noStore: true }],
  ["max-age=30", { ...NONE, maxAge: 30_000 }],
  ['max-age="30"', { ...NONE, maxAge: 30_000 }],
  ["max-age=0, no-store", { noCache: false, noStore: true, maxAge: 0 }],
  ["max-age=60,max-age=30", { ...NONE, maxAge: 30_000 }],
  ["max-age=soon", NONE],
  ["max-age=-1", NONE],
  ["public, s-maxage=30, only-if-cached", NONE],
])("cache-control: %p", (header, wish) => {
  expect(cacheDirectives(header)).toEqual(wish);
});
