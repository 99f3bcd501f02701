import { expect, test } from "bun:test";
import { requestOf } from "../../test/support/request-of.ts";
import { combined, missingCapability, requiredCapabilities } from "./needs.ts";

test("what a request needs is found by its fields, and named by them", () => {
  const image = { type: "image_url", image_url: { url: "data:," } };
  const request = {
    tools: [{ type: "function" }],
    messages: [
      { role: "system", content: "Be brief." },
      { role: "user", content: [{ type: "text", text: "What is it?" }, image] },
    ],
    response_format: { type: "json_schema", json_schema: {} },
  };
  expect(
    requiredCapabilities(requestOf(request)).map(({ capability, param }) => [capability, param]),
  ).toEqual([
    ["tools", "tools"],
    ["vision", "messages[1].content[1]"],
    ["json_schema", "response_format"],
  ]);
});

test("fields of other endpoints that nobody checked harm nothing", () => {
  for (const messages of [null, 7, [null], [{ content: [null, 7, "x"] }], "text"]) {
    expect(requiredCapabilities(requestOf({ messages, tools: [], response_format: null }))).toEqual([]);
  }
});

test("only what a model is known not to do is a lack", () => {
  const needs = requiredCapabilities(requestOf({ tools: [{}], messages: [] }));
  expect(missingCapability({}, needs)).toBeUndefined();
  expect(missingCapability({ tools: true, vision: false }, needs)).toBeUndefined();
  expect(missingCapability({ tools: false }, needs)?.param).toBe("tools");
});

test("several models together can do what one of them can, over their shortest length", () => {
  const one = { tools: true, vision: false, context: 8_000, output: 500 };
  expect(combined([one])).toBe(one);
  expect(combined([])).toEqual({});
  expect(combined([one, { tools: false, vision: false, json_schema: false, context: 4_000 }])).toEqual({
    tools: true,
    vision: false,
    context: 4_000,
    output: 500,
  });
});
