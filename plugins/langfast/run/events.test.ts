import { describe, expect, test } from "bun:test";
import { fold, readChunk, readFinished } from "./events.ts";

describe("a chunk", () => {
  test.each([
    { what: "with all it can have", data: { executionId: "x", content: "a", status: "completed" } },
    { what: "as a JSON string", data: '{"executionId":"x","content":"a","status":"completed"}' },
  ])("$what is read", ({ data }) => {
    expect(readChunk(data)).toEqual({ id: "x", content: "a", end: "completed" });
  });

  test.each([null, undefined, 7, "no JSON", "[1]", "null", ["a"]])("that is %j is none", (data) => {
    expect(readChunk(data)).toBeUndefined();
  });

  test.each([{}, { content: null }, { content: 7, usage: "much", error: null, finish_reason: null }])(
    "that says nothing, as %j, is an event without news",
    (data) => expect(readChunk(data)).toEqual({}),
  );

  test.each([
    { data: { status: "failed" }, failure: "" },
    { data: { status: "error", message: "no" }, failure: "no" },
    { data: { status: "running", error: "no" }, failure: "no" },
    { data: { error: { message: "no" } }, failure: "no" },
    { data: { error: {} }, failure: "" },
  ])("that says %j is a failure", ({ data, failure }) => {
    expect(readChunk(data)?.failure).toBe(failure);
  });

  test("may number its execution", () => {
    expect(readChunk({ executionId: 12 })).toEqual({ id: "12" });
  });
});

test("an end mark need not say anything", () => {
  expect(readFinished(undefined)).toEqual({ end: "finished" });
  expect(readFinished({ executionId: "x", content: "not text" })).toEqual({ id: "x", end: "finished" });
});

test("the newer word on each thing counts", () => {
  expect(fold({ content: "a", finishReason: "stop" }, { content: "ab" })).toEqual({
    content: "ab",
    finishReason: "stop",
  });
});

test("what comes after the end adds what was left out, and takes nothing back", () => {
  const ended = { content: "ab", end: "completed" } as const;
  expect(fold(ended, { end: "finished", usage: {} })).toEqual({ ...ended, usage: {} });
  expect(fold(ended, { failure: "too late", content: "x" })).toEqual(ended);
});
