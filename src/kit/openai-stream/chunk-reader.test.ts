import { describe, expect, test } from "bun:test";
import type { ChatEvent, JsonObject } from "modelyard/plugin";
import {
  read,
  streamed,
  delta,
  stop,
  finish,
  text,
  eventsOf,
  expectError,
} from "../../../test/support/openai-answers.ts";

describe("a chunk", () => {
  test("says new values of a chunk's own fields, and vendor fields, when they change", async () => {
    const { items } = await read(
      streamed([
        { id: "", model: "", created: 0, choices: [], prompt_filter_results: [{ a: 1 }], service_tier: null },
        { id: "1", model: "m", ...delta({}), prompt_filter_results: [{ a: 1 }] },
        { id: "1", model: "m-2", ...stop, service_tier: "flex" },
      ]),
    );
    expect(items.filter((event) => event.type === "extra").map((event) => event.fields)).toEqual([
      { prompt_filter_results: [{ a: 1 }] },
      { id: "1", model: "m" },
      { model: "m-2", service_tier: "flex" },
    ]);
  });

  test.each([
    [{ content: "a" }, [text("a")]],
    [{ role: "assistant", content: "" }, []],
    [{ content: null, refusal: null, tool_calls: null, reasoning_content: null, audio: null }, []],
    [{ content: "", refusal: "", annotations: [], tool_calls: [] }, []],
    [{ reasoning_content: "r" }, [{ type: "reasoning", text: "r" }]],
    [{ reasoning: "r", content: "" }, [{ type: "reasoning", text: "r" }]],
    [{ reasoning: "r", reasoning_content: "r" }, [{ type: "reasoning", text: "r" }]],
    [{ reasoning: "r", content: "a" }, [{ type: "reasoning", text: "r" }, text("a")]],
    [
      { reasoning: "r", reasoning_details: [{ text: "r" }] },
      [
        { type: "reasoning", text: "r" },
        { type: "extra", at: "delta", fields: { reasoning_details: [{ text: "r" }] } },
      ],
    ],
    [{ refusal: "no" }, [{ type: "extra", at: "delta", fields: { refusal: "no" } }]],
    [
      { audio: { data: "x" }, annotations: [{ url: "u" }], odd: 0 },
      [{ type: "extra", at: "delta", fields: { audio: { data: "x" }, annotations: [{ url: "u" }], odd: 0 } }],
    ],
    [
      { function_call: { name: "f", arguments: "{" } },
      [{ type: "extra", at: "delta", fields: { function_call: { name: "f", arguments: "{" } } }],
    ],
    [
      {
        content: [
          { type: "text", text: "a" },
          { type: "thinking", thinking: "t" },
          { type: "text", text: "b" },
        ],
      },
      [text("a"), { type: "reasoning", text: "t" }, text("b")],
    ],
    [
      {
        content: [
          { type: "text", text: "a" },
          { type: "reference", ids: [1] },
        ],
      },
      [
        text("a"),
        {
          type: "extra",
          at: "delta",
          fields: {
            content_parts: [
              { type: "text", text: "a" },
              { type: "reference", ids: [1] },
            ],
          },
        },
      ],
    ],
  ] as [JsonObject, ChatEvent[]][])("understands the delta %j", async (fields, events) => {
    expect(await eventsOf(fields)).toEqual(events);
  });

  test("gives what stands beside a delta, but not the message so far", async () => {
    const more = { logprobs: { content: [] }, stop_reason: 5, message: { content: "so far" }, flags: null };
    expect(await eventsOf({ content: "a" }, more)).toEqual([
      text("a"),
      { type: "extra", at: "choice", fields: { logprobs: { content: [] }, stop_reason: 5 } },
    ]);
  });

  test("may have fields that are called `__proto__`, which are like any other", async () => {
    const strange = JSON.parse('{"__proto__":{"a":1}}') as JsonObject;
    const { items } = await read(streamed([{ choices: [{ delta: strange, ...strange }], ...strange }, stop]));
    const extras = items.filter((event) => event.type === "extra");
    expect(extras.map(({ at }) => at)).toEqual(["chunk", "delta", "choice"]);
    for (const { fields } of extras) expect(JSON.stringify(fields)).toBe('{"__proto__":{"a":1}}');
  });

  test("of tens of thousands of levels is not understood, and not looked through", async () => {
    const deep = `{"x":${"[".repeat(60_000)}${"]".repeat(60_000)},"choices":[{"delta":{"content":"a"}}]}`;
    expectError(await read(`data: ${deep}\n\n`), "bad-response");
    expectError(await read(deep), "bad-response");
  });

  test("keeps several choices apart", async () => {
    const both = [
      { index: null, delta: { content: "a" } },
      { index: 1, delta: { content: "b" } },
    ];
    const { items, error } = await read(
      streamed([{ choices: both }, { choices: [{ index: 1, delta: {}, finish_reason: "length" }] }, stop]),
    );
    expect(error).toBeUndefined();
    expect(items).toEqual([
      text("a"),
      { type: "text", text: "b", choice: 1 },
      { type: "finish", reason: "length", choice: 1 },
      finish,
    ]);
  });

  test("reads usage wherever it stands, and once as long as it stays the same", async () => {
    const usage = { prompt_tokens: 1, completion_tokens: 1 };
    const { items } = await read(
      streamed([
        { ...delta({ content: "a" }), usage },
        { ...delta({ content: "b" }), usage },
        { ...delta({ content: "c" }), usage: { ...usage, completion_tokens: 3 } },
        { ...stop, usage: null, x_groq: { id: "g", usage: { prompt_tokens: 2, completion_tokens: null } } },
      ]),
    );
    expect(items.filter((event) => event.type === "usage").map((event) => event.usage)).toMatchObject([
      { input: 1, output: 1 },
      { input: 1, output: 3 },
      { input: 2, raw: { prompt_tokens: 2, completion_tokens: null } },
    ]);
    expect(items.findLast((event) => event.type === "usage")?.usage).not.toHaveProperty("output");
  });
});

describe("a finish reason", () => {
  test.each([
    ["stop", { reason: "stop" }],
    ["length", { reason: "length" }],
    ["tool_calls", { reason: "tool_calls" }],
    ["content_filter", { reason: "content_filter" }],
    ["function_call", { reason: "tool_calls", native: "function_call" }],
    ["eos", { reason: "stop", native: "eos" }],
    ["STOP", { reason: "stop", native: "STOP" }],
    ["MAX_TOKENS", { reason: "length", native: "MAX_TOKENS" }],
    ["tool-calls", { reason: "tool_calls", native: "tool-calls" }],
    ["SAFETY", { reason: "content_filter", native: "SAFETY" }],
  ] as const)("%s is kept, and understood", async (reason, expected) => {
    const { items } = await read(streamed([{ choices: [{ delta: {}, finish_reason: reason }] }]));
    expect(items).toEqual([{ type: "finish", ...expected }]);
  });

  test("may stand beside a native one", async () => {
    const choice = { delta: {}, finish_reason: "stop", native_finish_reason: "end_turn" };
    const { items } = await read(streamed([{ choices: [choice] }]));
    expect(items).toEqual([{ type: "finish", reason: "stop", native: "end_turn" }]);
  });

  test("is empty in chunks that are not the last", async () => {
    expect(await eventsOf({ content: "a" }, { finish_reason: "" })).toEqual([text("a")]);
  });

  test.each([
    ["error", "model-failed"],
    ["abort", "truncated"],
    ["insufficient_system_resource", "unavailable"],
  ] as const)("%s is a failure, after the text that came with it", async (reason, code) => {
    const outcome = await read(streamed([delta({ content: "a" }, { finish_reason: reason })]));
    expect(outcome.items).toEqual([text("a")]);
    expectError(outcome, code, new RegExp(reason));
  });

  test.each(["null", "None", "NONE"])("that is the word %s is none", async (reason) => {
    expect(await eventsOf({ content: "a" }, { finish_reason: reason })).toEqual([text("a")]);
  });

  test("takes nothing from what its choice says behind it", async () => {
    const late = delta({ role: "assistant", content: "" }, { finish_reason: "stop" });
    expect((await read(streamed([stop, late, delta({ content: "late" })]))).items).toEqual([
      finish,
      text("late"),
    ]);
  });

  test.each([
    [{ finish_reason: "error", native_finish_reason: "MALFORMED_FUNCTION_CALL" }, /"error" \(MALFORMED_/],
    [{ finish_reason: "MALFORMED_FUNCTION_CALL" }, /"MALFORMED_FUNCTION_CALL"$/],
    [{ finish_reason: "stop", native_finish_reason: "UNEXPECTED_TOOL_CALL" }, /UNEXPECTED_TOOL_CALL/],
    [{ finish_reason: "OTHER" }, /OTHER/],
  ])("%j is a failure that says the upstream's own word", async (more, said) => {
    expectError(await read(streamed([delta({}, more)])), "model-failed", said);
  });
});

describe("tool calls", () => {
  const piece = (...calls: JsonObject[]): JsonObject => delta({ tool_calls: calls });
  const callsOf = async (...chunks: JsonObject[]): Promise<ChatEvent[]> =>
    (await read(streamed([...chunks, stop]))).items.slice(0, -1);

  test("keep the upstream's index, ids and names, which the gateway looks at", async () => {
    expect(
      await callsOf(
        piece({ index: 0, id: "a", type: "function", function: { name: "f", arguments: "" } }),
        piece({ index: 0, function: { arguments: '{"x"' } }),
        piece({ index: "0", id: "a", type: "function", function: { name: "f", arguments: ":1}" } }),
        piece({ index: 1, id: "b", type: "function", function: { name: "g", arguments: "{}" } }),
      ),
    ).toEqual([
      { type: "tool-call", index: 0, id: "a", name: "f", arguments: "" },
      { type: "tool-call", index: 0, arguments: '{"x"' },
      { type: "tool-call", index: 0, id: "a", name: "f", arguments: ":1}" },
      { type: "tool-call", index: 1, id: "b", name: "g", arguments: "{}" },
    ]);
  });

  test("of a whole message are as many as it lists, whatever their indexes say", async () => {
    const tool_calls = ["a", "b"].map((name) => ({ index: 0, function: { name, arguments: "{}" } }));
    const choices = [{ message: { tool_calls }, finish_reason: "tool_calls" }];
    expect((await read(JSON.stringify({ choices }))).items.slice(0, -1)).toEqual([
      { type: "tool-call", index: 0, name: "a", arguments: "{}" },
      { type: "tool-call", index: 1, name: "b", arguments: "{}" },
    ]);
  });

  test.each([0.5, -1, "one", true])("with the index %j are a bad response", async (index) => {
    const outcome = await read(streamed([piece({ index, function: { name: "f" } }), stop]));
    expectError(outcome, "bad-response", /index/);
  });

  test("without an index are numbered by their place, and arguments that are an object become JSON", async () => {
    expect(
      await callsOf(
        piece(
          { id: "a", function: { name: "f", arguments: { x: 1 } } },
          { id: "b", function: { name: "g" } },
        ),
      ),
    ).toEqual([
      { type: "tool-call", index: 0, id: "a", name: "f", arguments: '{"x":1}' },
      { type: "tool-call", index: 1, id: "b", name: "g" },
    ]);
  });

  test("keep the upstream's own members, where it put them", async () => {
    const extra_content = { google: { thought_signature: "s" } };
    expect(
      await callsOf(
        piece({ index: 0, id: "a", x: 1, extra_content, function: { name: "f", strict: true } }),
        piece({ index: 0, extra_content: "odd", function: { arguments: null } }),
      ),
    ).toEqual([
      {
        type: "tool-call",
        index: 0,
        id: "a",
        name: "f",
        fields: { x: 1, extra_content, function: { strict: true } },
      },
      { type: "tool-call", index: 0, fields: { extra_content: "odd" } },
    ]);
  });

  test("of custom tools say so in each piece, and their input is the arguments", async () => {
    expect(
      await callsOf(
        piece({ index: 0, id: "a", type: "custom", custom: { name: "g", input: "", x: 1 } }),
        piece({ index: 0, custom: { input: "in" } }),
        piece({ index: 0, custom: { input: "put" } }),
      ),
    ).toEqual([
      {
        type: "tool-call",
        index: 0,
        id: "a",
        name: "g",
        arguments: "",
        fields: { type: "custom", function: { x: 1 } },
      },
      { type: "tool-call", index: 0, arguments: "in", fields: { type: "custom" } },
      { type: "tool-call", index: 0, arguments: "put", fields: { type: "custom" } },
    ]);
  });
});

test("calls of more tools than can be told apart are a bad response", async () => {
  const calls = (count: number): JsonObject[] =>
    Array.from({ length: count }, (_, index) => ({ index, id: `${index}`, function: { name: "f" } }));
  expect((await read(streamed([delta({ tool_calls: calls(1_024) }), stop]))).error).toBeUndefined();
  const tooMany = [delta({ content: "said" }), delta({ tool_calls: calls(1_025) }), stop];
  const outcome = await read(streamed(tooMany));
  expectError(outcome, "bad-response", /1024 tools/);
  // What came before it is not lost.
  expect(outcome.items[0]).toEqual(text("said"));
  expect(outcome.items).toHaveLength(1_025);
});

describe("a legacy completion", () => {
  const said = (text: string, more: JsonObject = {}): JsonObject => ({
    object: "text_completion",
    choices: [{ index: 0, text, logprobs: null, finish_reason: null, ...more }],
  });

  test("is text, with its own kind of logprobs", async () => {
    const logprobs = { tokens: ["a"], token_logprobs: [-0.1], top_logprobs: [{ a: -0.1 }], text_offset: [0] };
    const outcome = await read(
      streamed([said("a", { logprobs }), said("b"), said("", { finish_reason: "length" })]),
    );
    expect(outcome.items).toEqual([
      text("a"),
      { type: "extra", at: "choice", fields: { logprobs } },
      text("b"),
      { type: "finish", reason: "length" },
    ]);
  });

  test("may be a document", async () => {
    expect((await read(JSON.stringify(said("all", { finish_reason: "stop" })))).items).toEqual([
      text("all"),
      finish,
    ]);
  });

  test("has no text beside a delta: that is a member like any other", async () => {
    expect(await eventsOf({ content: "a" }, { text: "b" })).toEqual([
      text("a"),
      { type: "extra", at: "choice", fields: { text: "b" } },
    ]);
  });
});
