import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { JsonObject } from "modelyard/plugin";
import { ToolNames } from "modelyard/kit";
import { EXTENSIONS } from "../../plugins/anthropic/request/extensions.ts";
import { mapRequest } from "../../plugins/anthropic/request/request.ts";
import { TOOL_NAMES } from "../../plugins/anthropic/request/tools.ts";
import { traitsOf } from "../../plugins/anthropic/traits.ts";
import { clientName } from "../../src/dialects/anthropic/request/client-name.ts";
import { parseMessagesRequest } from "../../src/dialects/anthropic/request/request.ts";
import { chatFor } from "../../src/dialects/fitting/chat-for.ts";
import { inBlocks, LOSSY_MESSAGES } from "../support/dialects/lossy-messages.ts";
import { testCall } from "../support/plugin-host.ts";

/**
 * A Messages request goes through a chat request and comes out as it was, but for what the table of lossy cases says.
 * @module
 */

interface Arrived {
  readonly body: JsonObject;
  readonly ignored: readonly string[];
}

/** The request as an upstream gets it that speaks Messages and is asked for a chat. */
function roundTrip(body: JsonObject): Arrived {
  const { call, ignored } = testCall();
  const { model } = parseMessagesRequest(body);
  const chat = chatFor(parseMessagesRequest(body).chat(model), { extensions: new Set(EXTENSIONS), call });
  const names = new ToolNames(chat, TOOL_NAMES);
  const context = { traits: traitsOf(model, undefined), maxTokens: undefined, names, call };
  const mapped = mapRequest(chat, context);
  return { body: inBlocks(mapped.body), ignored: [...ignored.keys()].map(clientName) };
}

const complete = (body: JsonObject): JsonObject => ({ model: "m", max_tokens: 100, ...body });

function expected(body: JsonObject): JsonObject {
  return LOSSY_MESSAGES.reduce((changed, { apply }) => apply(changed), inBlocks(body));
}

/** As JSON, so that members which aren't there are not there. */
function plain(body: JsonObject): unknown {
  return JSON.parse(JSON.stringify(body));
}

describe("what is lost:", () => {
  test.each(LOSSY_MESSAGES.map((row) => [row.name, row] as const))("%s", (_, { example, told, apply }) => {
    const body = complete(example);
    const { body: arrived, ignored } = roundTrip(body);
    expect(plain(arrived)).toEqual(plain(expected(body)));
    expect(ignored).toEqual(told === "" ? [] : [told]);
    expect(plain(apply(inBlocks(body)))).not.toEqual(plain(inBlocks(body)));
  });
});

const PNG = "iVBORw0KGgoAAAANSUhEUg==";
const words = fc.string({ minLength: 1, maxLength: 20 }).map((text) => `${text.toWellFormed()}.`);
const mark = fc.option(fc.constant({ type: "ephemeral", ttl: "1h" }), { nil: undefined });
const marked = (block: fc.Arbitrary<JsonObject>) =>
  fc
    .tuple(block, mark)
    .map(([each, cache_control]) => ({ ...each, ...(cache_control && { cache_control }) }));
const textBlock = marked(fc.record({ type: fc.constant("text"), text: words }));
const image = marked(
  fc.constantFrom<JsonObject[]>(
    { type: "image", source: { type: "base64", media_type: "image/png", data: PNG } },
    { type: "image", source: { type: "url", url: "https://example.com/a.png" } },
    { type: "image", source: { type: "file", file_id: "file_1" } },
  ),
);
const document = marked(
  fc.record({
    type: fc.constant("document"),
    source: fc.constantFrom(
      { type: "text", media_type: "text/plain", data: "words" },
      { type: "base64", media_type: "application/pdf", data: "JVBERi0=" },
      { type: "content", content: [{ type: "text", text: "part" }] },
      { type: "url", url: "https://example.com/a.pdf" },
    ),
    title: words,
    citations: fc.constant({ enabled: true }),
  }),
);
const thought = fc.oneof(
  fc.record({ type: fc.constant("thinking"), thinking: fc.string(), signature: fc.constantFrom("", "c2ln") }),
  fc.record({ type: fc.constant("redacted_thinking"), data: words }),
);
const serverTool = fc.constant({
  type: "server_tool_use",
  id: "srv_1",
  name: "web_search",
  input: { q: "x" },
});
const userBlocks = fc.array(fc.oneof(textBlock, image, document), { minLength: 1, maxLength: 4 });
const content = fc.oneof(words, userBlocks);

/** A turn that calls tools, and the one with their results. */
const exchange = fc
  .record({
    thoughts: fc.array(thought, { maxLength: 2 }),
    said: fc.array(textBlock, { maxLength: 1 }),
    inputs: fc.array(fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 1 })), { maxLength: 3 }),
    server: fc.array(serverTool, { maxLength: 1 }),
    results: fc.array(fc.oneof(words, fc.array(fc.oneof(textBlock, image), { minLength: 1, maxLength: 2 })), {
      minLength: 3,
      maxLength: 3,
    }),
    isError: fc.option(fc.boolean(), { nil: undefined }),
    rest: fc.array(textBlock, { maxLength: 2 }),
    isMixed: fc.boolean(),
  })
  .map((drawn) => (turn: number): JsonObject[] => {
    const { thoughts, said, inputs, server, results, isError, rest, isMixed } = drawn;
    const id = (index: number) => `toolu_${turn}_${index}`;
    const calls = inputs.map((input, index) => ({ type: "tool_use", id: id(index), name: "look", input }));
    const answers = inputs.map((_, index) => ({
      type: "tool_result",
      tool_use_id: id(index),
      // The API takes no pictures of what failed.
      content: isError ? "It failed." : results[index],
      ...(isError !== undefined && { is_error: isError }),
    }));
    const goOn: JsonObject = { type: "text", text: "go on" };
    const last = rest.length > 0 || answers.length === 0 ? [...rest, goOn] : rest;
    const blocks = [
      ...thoughts,
      ...server,
      ...said,
      ...(said.length > 0 ? [] : [{ type: "text", text: "So." }]),
    ];
    return [
      {
        role: "assistant",
        content: isMixed && thoughts.length === 0 ? [...calls, ...blocks] : [...blocks, ...calls],
      },
      { role: "user", content: isMixed ? [...last, ...answers] : [...answers, ...last] },
    ] as unknown as JsonObject[];
  });

const tool = fc.record(
  {
    name: fc.constant("look"),
    description: words,
    input_schema: fc.constantFrom(
      { type: "object", properties: { at: { type: "string" } }, required: ["at"] },
      { $schema: "http://json-schema.org/draft-07/schema#", type: "object", properties: {} },
    ),
    cache_control: fc.constant({ type: "ephemeral" }),
    type: fc.constant("custom"),
    defer_loading: fc.constant(true),
  },
  { requiredKeys: ["name", "input_schema"] },
);

const settings = fc.record(
  {
    system: fc.oneof(words, fc.array(textBlock, { minLength: 1, maxLength: 3 })),
    tools: fc.array(
      fc.oneof(tool, fc.constant({ type: "web_search_20250305", name: "web_search", max_uses: 3 })),
      {
        minLength: 1,
        maxLength: 2,
      },
    ),
    tool_choice: fc.constantFrom(
      { type: "auto" },
      { type: "none" },
      { type: "auto", disable_parallel_tool_use: true },
    ),
    thinking: fc.constantFrom(
      { type: "enabled", budget_tokens: 1024 },
      { type: "adaptive", display: "omitted" },
      { type: "disabled" },
    ),
    output_config: fc.constantFrom(
      { effort: "high" },
      { effort: "low", task_budget: { type: "tokens", total: 9 } },
    ),
    stop_sequences: fc.constantFrom(["a"], ["a", "b"]),
    metadata: fc.constant({ user_id: '{"session_id":"x"}' }),
    service_tier: fc.constantFrom("auto", "standard_only"),
    top_k: fc.integer({ min: 1, max: 100 }),
    context_management: fc.constant({ edits: [{ type: "clear_thinking_20251015" }] }),
    container: fc.constant("container_1"),
    stream: fc.constant(true),
    mystery: fc.constant({ a: 1 }),
  },
  { requiredKeys: [] },
);

const request = fc
  .tuple(content, fc.array(exchange, { maxLength: 3 }), fc.option(words, { nil: undefined }), settings)
  .map(([first, exchanges, system, more]) =>
    complete({
      ...(more as JsonObject),
      messages: [
        { role: "user", content: first },
        ...(system === undefined ? [] : [{ role: "system", content: system }]),
        ...exchanges.flatMap((make, index) => make(index)),
      ] as unknown as JsonObject[],
    }),
  );

test("nothing else is", () => {
  fc.assert(
    fc.property(request, (body) => {
      expect(plain(roundTrip(body).body)).toEqual(plain(expected(body)));
    }),
    { numRuns: 300 },
  );
});
