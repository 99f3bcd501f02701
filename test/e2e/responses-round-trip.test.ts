import { afterAll, beforeAll, expect, test } from "bun:test";
import fc from "fast-check";
import type { JsonObject, Message } from "modelyard/plugin";
import { parseResponsesRequest } from "../../src/dialects/openai/responses/request/request.ts";
import { unwrapReasoning, wrapReasoning } from "../../src/dialects/openai/responses/reasoning.ts";
import { Tools } from "../../src/dialects/openai/responses/request/tools.ts";
import { NOTHING_KEPT } from "../../src/dialects/kept-texts.ts";
import { LOSSY } from "../support/responses-lossy.ts";
import { checkResponsesStream } from "../support/responses-stream.ts";
import type { ScriptedGateway } from "../support/scripted-gateway.ts";
import { spent, startScripted } from "../support/scripted-gateway.ts";

/**
 * Items that become a conversation and come back are the same but for what the table of losses says.
 * @module
 */

const TOOLS = [
  { type: "function", name: "f" },
  { type: "custom", name: "patch" },
  { type: "namespace", name: "mcp__x", tools: [{ type: "function", name: "g" }] },
];

const word = fc.string({ unit: "grapheme", minLength: 1, maxLength: 8 });
const id = fc.constantFrom("a1", "b2", "c3");
const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });

const userPart = fc.oneof(
  fc.record({ type: fc.constant("input_text"), text: word }),
  fc.constant({ type: "input_image", image_url: "data:image/png;base64,aGk=", detail: "low" }),
  fc.constant({ type: "input_file", filename: "a.pdf", file_data: "data:application/pdf;base64,aGk=" }),
);
const user = fc.record({
  type: fc.constant("message"),
  role: fc.constantFrom("user", "system", "developer"),
  content: fc.array(userPart, { minLength: 1, maxLength: 3 }),
});
const spoken = fc.oneof(
  fc.record({
    type: fc.constant("output_text"),
    text: word,
    annotations: fc.constant([]),
    logprobs: fc.constant([]),
  }),
  fc.record({ type: fc.constant("refusal"), refusal: word }),
);
const said = fc.record({
  type: fc.constant("message"),
  id: optional(id),
  role: fc.constant("assistant"),
  status: fc.constant("completed"),
  phase: optional(fc.constant("commentary")),
  content: fc.array(spoken, { minLength: 1, maxLength: 1 }),
});
const thought = fc.oneof(
  word.map((text) => ({ type: "reasoning", id: "r1", summary: [{ type: "summary_text", text }] })),
  word.map((text) => ({ type: "reasoning", summary: [], content: [{ type: "reasoning_text", text }] })),
  word.map((text) => ({
    type: "reasoning",
    summary: [],
    content: [{ type: "reasoning_text", text }],
    encrypted_content: wrapReasoning([{ type: "reasoning.text", text, signature: "s", index: 0 }]),
  })),
  word.map((text) => ({
    type: "reasoning",
    summary: [{ type: "summary_text", text }],
    encrypted_content: "gAAAAA",
  })),
);
const hosted = fc.constant({ type: "web_search_call", id: "w1", status: "completed" });
const called = fc.oneof(
  fc.record({
    type: fc.constant("function_call"),
    name: fc.constant("f"),
    arguments: fc.constant('{"a":1}'),
  }),
  fc.record({
    type: fc.constant("function_call"),
    name: fc.constant("g"),
    namespace: fc.constant("mcp__x"),
    arguments: fc.constant("{}"),
  }),
  fc.record({ type: fc.constant("custom_tool_call"), name: fc.constant("patch"), input: word }),
);

/** A turn: perhaps a thought, perhaps a text, then calls, and their outputs. */
const turn = fc
  .record({
    search: optional(hosted),
    thought: optional(thought),
    said,
    calls: fc.array(called, { maxLength: 3 }),
    output: word,
  })
  .map(({ search, thought: reasoning, said: message, calls, output }) => {
    const named = calls.map((call, index) => ({ ...call, call_id: `call_${index}` }));
    const outputs = named.map(({ type, call_id }) => ({ type: `${type}_output`, call_id, output }));
    return [search, reasoning, message, ...named, ...outputs].filter(
      (item) => item !== undefined,
    ) as JsonObject[];
  });

const conversation = fc.array(
  fc.oneof(
    user.map((item) => [item as JsonObject]),
    turn,
  ),
  {
    minLength: 1,
    maxLength: 4,
  },
);

/** The items of a conversation as a request holds it. */
function itemsOf(messages: readonly Message[], tools: Tools): unknown[] {
  const types = new Map<unknown, string>();
  return messages.flatMap((message) => {
    if (message.role === "tool") {
      const { tool_call_id: callId, content } = message;
      return { type: `${types.get(callId)}_output`, call_id: callId, output: content };
    }
    if (message.role !== "assistant") {
      const content =
        typeof message.content === "string" ? [{ type: "text", text: message.content }] : message.content;
      return { type: "message", role: message.role, content: (content ?? []).map(inputPart) };
    }
    const calls = (
      (message["tool_calls"] ?? []) as { id: string; function: { name: string; arguments: string } }[]
    ).map((call) => {
      const { type, name, namespace } = tools.raise(call.function.name);
      const isCustom = type === "custom";
      types.set(call.id, isCustom ? "custom_tool_call" : "function_call");
      const input = (JSON.parse(call.function.arguments) as { input: string }).input;
      return {
        type: isCustom ? "custom_tool_call" : "function_call",
        call_id: call.id,
        name,
        ...(namespace !== undefined && { namespace }),
        ...(isCustom ? { input } : { arguments: call.function.arguments }),
      };
    });
    const { content } = message;
    const texts = typeof content === "string" ? [content] : (content ?? []).map(({ text }) => text);
    const unsigned = message["reasoning_content"];
    return [
      ...((message["reasoning_details"] ?? []) as JsonObject[]).map(thoughtOf),
      ...(unsigned === undefined ? [] : [thoughtOf({ text: unsigned })]),
      ...texts.map((text) => ({
        type: "message",
        role: "assistant",
        content: [{ type: "output_text", text: text ?? null }],
      })),
      ...calls,
    ];
  });
}

function inputPart(part: JsonObject): JsonObject {
  if (part["type"] === "text") return { type: "input_text", text: part["text"] };
  if (part["type"] === "file") return { type: "input_file", ...(part["file"] as JsonObject) };
  const { url, detail } = part["image_url"] as { url: string; detail: string };
  return { type: "input_image", image_url: url, detail };
}

function thoughtOf(detail: JsonObject): JsonObject {
  const { text, signature } = detail;
  return {
    type: "reasoning",
    summary: [],
    content: [{ type: "reasoning_text", text }],
    ...(signature !== undefined && { encrypted_content: wrapReasoning([{ ...detail, index: 0 }]) }),
  };
}

const lossy = (items: readonly JsonObject[]): JsonObject[] =>
  items.flatMap((item) => {
    let left: JsonObject | undefined = item;
    for (const { apply } of LOSSY) left = left && apply(left);
    return left ? [left] : [];
  });

const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

test("a conversation of items comes back, but for what the table says", () => {
  fc.assert(
    fc.property(conversation, (turns) => {
      const input = turns.flat();
      const body = { model: "m", input, tools: TOOLS };
      const request = parseResponsesRequest(body, NOTHING_KEPT);
      const back = itemsOf(request.chat("m").messages, new Tools(TOOLS));
      // What one turn says may stand in several messages; then its calls follow all of them.
      expect(sorted(plain(back) as JsonObject[])).toEqual(sorted(plain(lossy(input)) as JsonObject[]));
    }),
  );
});

/**
 * Texts of turns that follow one another without anything between them are one turn's: only its calls move, and its
 * unsigned thoughts are one.
 */
function sorted(items: JsonObject[]): JsonObject[] {
  const rank = ({ type, role }: JsonObject) =>
    type === "reasoning" ? 0 : type === "message" && role === "assistant" ? 1 : 2;
  const runs: JsonObject[][] = [];
  let isOpen = false;
  for (const item of items) {
    const isTurn = rank(item) < 2 || item["type"] === "function_call" || item["type"] === "custom_tool_call";
    if (!isTurn || !isOpen) runs.push([]);
    isOpen = isTurn;
    runs.at(-1)?.push(item);
  }
  return runs.flatMap((run) => {
    const unsigned = run.filter(isUnsigned);
    const others = run.filter((item) => !isUnsigned(item)).toSorted((a, b) => rank(a) - rank(b));
    return unsigned.length > 0 ? [thoughtOf({ text: unsigned.map(textOf).join("") }), ...others] : others;
  });
}

const isUnsigned = ({ type, encrypted_content: encrypted }: JsonObject) =>
  type === "reasoning" && encrypted === undefined;

const textOf = ({ content }: JsonObject) =>
  (content as readonly { readonly text: string }[]).map(({ text }) => text).join("");

test("every loss of the table happens", () => {
  const seen = new Set<string>();
  for (const turns of fc.sample(conversation, { numRuns: 300, seed: 7 })) {
    for (const item of turns.flat()) {
      for (const { what, apply } of LOSSY) if (!Bun.deepEquals(apply(item), item)) seen.add(what);
    }
  }
  expect([...seen].toSorted()).toEqual(LOSSY.map(({ what }) => what).toSorted());
});

test("the table for users has the same rows", async () => {
  const page = await Bun.file(new URL("../../docs/dialects.md", import.meta.url)).text();
  const rows = page.split("\n").map((line) => line.split("|").map((cell) => cell.trim()));
  for (const { what, becomes } of LOSSY) expect(rows).toContainEqual(["", what, becomes, ""]);
});

let gateway: ScriptedGateway;
const said3 = ["I see.", '{"a":1}', "[1]"] as const;
beforeAll(async () => {
  gateway = await startScripted({
    turn: [
      { type: "reasoning", text: "Hm.", block: 0 },
      { type: "reasoning", text: "", block: 0, signature: "s" },
      { type: "reasoning", text: "", block: 1, redacted: "secret" },
      { type: "text", text: said3[0] },
      { type: "tool-call", index: 0, id: "a", name: "f", arguments: said3[1] },
      { type: "tool-call", index: 1, id: "b", name: "mcp__x__g", arguments: said3[2] },
      { type: "tool-call", index: 2, id: "c", name: "patch", arguments: '{"input":"x"}' },
      { type: "finish", reason: "tool_calls" },
      spent(1, 1),
    ],
  });
});
afterAll(() => gateway[Symbol.asyncDispose]());

test("an answer given back as its items is the message that the upstream said", async () => {
  const response = await fetch(`${gateway.baseURL}/responses`, {
    method: "POST",
    headers: { authorization: `Bearer ${gateway.key}`, "content-type": "application/json" },
    body: JSON.stringify({
      model: "turn",
      input: "Hi",
      stream: true,
      tools: TOOLS,
      include: ["reasoning.encrypted_content"],
    }),
  });
  const { output } = checkResponsesStream(await response.text()).response;
  const body = { model: "m", input: output, tools: TOOLS };
  const [message] = parseResponsesRequest(body, NOTHING_KEPT).chat("m").messages;
  expect(plain(message)).toEqual({
    role: "assistant",
    content: said3[0],
    reasoning_details: [
      { type: "reasoning.text", text: "Hm.", signature: "s", index: 0 },
      { type: "reasoning.encrypted", data: "secret", index: 1 },
    ],
    tool_calls: [
      { id: "a", type: "function", function: { name: "f", arguments: said3[1] } },
      { id: "b", type: "function", function: { name: "mcp__x__g", arguments: said3[2] } },
      { id: "c", type: "function", function: { name: "patch", arguments: '{"input":"x"}' } },
    ],
  });
});

test("what isn't wrapped reasoning of this gateway is known for none", () => {
  for (const other of ["", "gAAAA", "mdy1.", "mdy1.!!", `mdy1.${btoa("[1]")}`]) {
    expect(unwrapReasoning(other)).toBeUndefined();
  }
});
