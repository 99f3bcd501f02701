import { expect, test } from "bun:test";
import type { ChatEvent } from "../contract/index.ts";
import { validateEvent } from "./validate-event.ts";

const GOOD: readonly ChatEvent[] = [
  { type: "text", text: "" },
  { type: "text", text: "a", choice: 127 },
  { type: "reasoning", text: "a", block: 0 },
  { type: "tool-call", index: 0 },
  { type: "tool-call", index: 3, id: "a", name: "b", arguments: "{" },
  { type: "extra", at: "chunk", fields: {} },
  { type: "finish", reason: "content_filter", native: "safety" },
  { type: "usage", usage: {} },
];

const BAD: readonly unknown[] = [
  undefined,
  null,
  "text",
  7,
  {},
  { type: "thought", text: "a" },
  { type: "constructor" },
  { type: "text" },
  { type: "text", text: 7 },
  { type: "text", text: "a", choice: -1 },
  { type: "text", text: "a", choice: 0.5 },
  { type: "text", text: "a", choice: 1_000_000 },
  { type: "reasoning", text: null },
  { type: "tool-call" },
  { type: "tool-call", index: 0, arguments: { a: 1 } },
  { type: "extra", at: "message", fields: {} },
  { type: "extra", at: "delta", fields: [] },
  { type: "finish" },
  { type: "finish", reason: "toString" },
  { type: "usage" },
];

test("every event of the contract passes", () => {
  for (const event of GOOD) validateEvent(event);
  expect(GOOD.map(({ type }) => type)).toContain("usage");
});

test.each(BAD.map((event) => [JSON.stringify(event) ?? "undefined", event]))("%s is no event", (_, event) => {
  expect(() => validateEvent(event as ChatEvent)).toThrow("an event that is not in the contract");
});
