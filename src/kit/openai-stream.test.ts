import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { ChatEvent, Json, JsonObject, UpstreamError } from "modelyard/plugin";
import { cutAt, outcomeOf, streamOf } from "../../test/support/pieces.ts";
import { rawServer, silentServer } from "../../test/support/silent-server.ts";
import { openaiStream } from "./openai-stream.ts";
import type { OpenAiStreamOptions } from "./openai-stream.ts";

const encoder = new TextEncoder();

interface Outcome {
  readonly items: ChatEvent[];
  readonly error: unknown;
}

function read(body: string | readonly Uint8Array[], options?: OpenAiStreamOptions): Promise<Outcome> {
  const pieces = typeof body === "string" ? [encoder.encode(body)] : body;
  return outcomeOf(openaiStream(new Response(streamOf(pieces)), options));
}

/** The event stream of these chunks, with `[DONE]` unless told otherwise. */
function streamed(chunks: readonly Json[], end = "data: [DONE]\n\n"): string {
  return chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`).join("") + end;
}

const delta = (fields: JsonObject, more: JsonObject = {}): JsonObject => ({
  choices: [{ index: 0, delta: fields, finish_reason: null, ...more }],
});
const stop: JsonObject = { choices: [{ index: 0, delta: {}, finish_reason: "stop" }] };
const finish: ChatEvent = { type: "finish", reason: "stop" };
const text = (said: string): ChatEvent => ({ type: "text", text: said });

/** The events of one delta in a good answer, without the finish. */
async function eventsOf(fields: JsonObject, more: JsonObject = {}): Promise<ChatEvent[]> {
  const { items, error } = await read(streamed([delta(fields, more), stop]));
  expect(error).toBeUndefined();
  expect(items.at(-1)).toEqual(finish);
  return items.slice(0, -1);
}

function expectError({ error }: Outcome, code: UpstreamError["code"], message?: RegExp): void {
  expect(error).toMatchObject({ name: "UpstreamError", code });
  if (message) expect((error as Error).message).toMatch(message);
}

const HEAD = { id: "c1", object: "chat.completion.chunk", created: 7, model: "m", system_fingerprint: "f" };
const USAGE = {
  prompt_tokens: 9,
  completion_tokens: 5,
  total_tokens: 14,
  prompt_tokens_details: { cached_tokens: 3, audio_tokens: null },
  completion_tokens_details: { reasoning_tokens: 2 },
};
const USAGE_EVENT: ChatEvent = {
  type: "usage",
  usage: { input: 9, cachedInput: 3, output: 5, reasoning: 2, raw: USAGE },
};

const ANSWER = streamed([
  { ...HEAD, ...delta({ role: "assistant", content: "" }), obfuscation: "a" },
  { ...HEAD, ...delta({ content: "Grüß" }), obfuscation: "bc" },
  { ...HEAD, ...delta({ content: " Gott \u{1F600}" }) },
  { ...HEAD, ...stop },
  { ...HEAD, choices: [], usage: USAGE },
]);
const ANSWER_EVENTS: ChatEvent[] = [
  { type: "extra", at: "chunk", fields: { id: "c1", created: 7, model: "m", system_fingerprint: "f" } },
  text("Grüß"),
  text(" Gott \u{1F600}"),
  finish,
  USAGE_EVENT,
];

describe("a streamed answer", () => {
  test("becomes events, and what each chunk repeats is said once", async () => {
    expect(await read(ANSWER)).toEqual({ items: ANSWER_EVENTS, error: undefined });
  });

  test("gives the same however it is cut", async () => {
    const bytes = encoder.encode(ANSWER);
    const places = fc.array(fc.nat(), { maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(places, async (where) => {
        expect((await read(cutAt(bytes, where))).items).toEqual(ANSWER_EVENTS);
      }),
      { numRuns: 50 },
    );
    expect((await read(Array.from(bytes, (byte) => new Uint8Array([byte])))).items).toEqual(ANSWER_EVENTS);
  });

  test("that is cut at any byte before its finish is truncated, and whole after it", async () => {
    const bytes = encoder.encode(ANSWER);
    const finished = ANSWER.indexOf('"stop"}]') + '"stop"}]}'.length;
    const enough = encoder.encode(ANSWER.slice(0, finished)).length;
    for (let length = 0; length < bytes.length; length++) {
      const outcome = await read([bytes.subarray(0, length)]);
      if (length < enough) expectError(outcome, "truncated");
      else expect(outcome.error).toBeUndefined();
    }
  });

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
      [
        text("ab"),
        { type: "extra", at: "delta", fields: { content_parts: [{ type: "thinking", thinking: "t" }] } },
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
    ["error", "failed"],
    ["abort", "truncated"],
    ["insufficient_system_resource", "unavailable"],
  ] as const)("%s is a failure, after the text that came with it", async (reason, code) => {
    const outcome = await read(streamed([delta({ content: "a" }, { finish_reason: reason })]));
    expect(outcome.items).toEqual([text("a")]);
    expectError(outcome, code, new RegExp(reason));
  });

  test("is the last that counts of its choice", async () => {
    const late = delta({ role: "assistant", content: "" }, { finish_reason: "stop" });
    expect((await read(streamed([stop, late, delta({ content: "late" })]))).items).toEqual([finish]);
  });
});

describe("tool calls", () => {
  const piece = (...calls: JsonObject[]): JsonObject => delta({ tool_calls: calls });
  const callsOf = async (...chunks: JsonObject[]): Promise<ChatEvent[]> =>
    (await read(streamed([...chunks, stop]))).items.slice(0, -1);

  test("keep their index, and say their id and name once", async () => {
    expect(
      await callsOf(
        piece({ index: 0, id: "a", type: "function", function: { name: "f", arguments: "" } }),
        piece({ index: 0, function: { arguments: '{"x"' } }),
        piece({ index: 0, id: "a", type: "function", function: { name: "f", arguments: ":1}" } }),
        piece({ index: 1, id: "b", type: "function", function: { name: "g", arguments: "{}" } }),
      ),
    ).toEqual([
      { type: "tool-call", index: 0, id: "a", name: "f", arguments: "" },
      { type: "tool-call", index: 0, arguments: '{"x"' },
      { type: "tool-call", index: 0, arguments: ":1}" },
      { type: "tool-call", index: 1, id: "b", name: "g", arguments: "{}" },
    ]);
  });

  test("that all claim index 0, as Gemini's do, are told apart by their ids", async () => {
    const whole = (id: string): JsonObject => ({ index: 0, id, function: { name: "f", arguments: "{}" } });
    const events = await callsOf(
      piece(whole("a")),
      piece(whole("b")),
      piece({ index: 0, function: { arguments: " " } }),
    );
    expect(events.map((event) => (event.type === "tool-call" ? [event.index, event.id] : event))).toEqual([
      [0, "a"],
      [1, "b"],
      [1, undefined],
    ]);
  });

  test("whose id changes from piece to piece, as old vLLM's do, stay one call", async () => {
    const events = await callsOf(
      piece({ index: 0, id: "a", function: { name: "f" } }),
      piece({ index: 0, id: "b", function: { arguments: "{}" } }),
    );
    expect(events).toEqual([
      { type: "tool-call", index: 0, id: "a", name: "f" },
      { type: "tool-call", index: 0, arguments: "{}" },
    ]);
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

  test("keep the upstream's own members", async () => {
    const extra_content = { google: { thought_signature: "s" } };
    expect(
      await callsOf(
        piece({ index: 0, id: "a", extra_content, function: { name: "f", strict: true, arguments: null } }),
        piece({ index: 1, id: "b", type: "custom", custom: { name: "g", input: "i" } }),
        piece({ index: 1, function: {} }),
      ),
    ).toEqual([
      {
        type: "tool-call",
        index: 0,
        id: "a",
        name: "f",
        fields: { extra_content, function: { strict: true } },
      },
      { type: "tool-call", index: 1, id: "b", fields: { custom: { name: "g", input: "i" }, type: "custom" } },
    ]);
  });
});

describe("an answer's end", () => {
  const other = { choices: [{ index: 1, delta: { content: "b" } }] };

  test("is honest with `[DONE]` once every choice that was seen has finished", async () => {
    expect((await read(streamed([stop]), { choices: 2 })).error).toBeUndefined();
    expect((await read(streamed([stop], "data: [DONE]"), { choices: 2 })).error).toBeUndefined();
    expectError(await read(streamed([stop, other])), "truncated");
    expectError(await read(streamed([])), "truncated");
    expectError(await read(streamed([delta({ content: "a" })])), "truncated");
  });

  test("is honest without `[DONE]` once every choice that was asked for has finished", async () => {
    const otherStop = { choices: [{ index: 1, delta: {}, finish_reason: "stop" }] };
    expect((await read(streamed([stop], ""))).error).toBeUndefined();
    expect((await read(streamed([stop, otherStop], ""), { choices: 2 })).error).toBeUndefined();
    expectError(await read(streamed([stop], ""), { choices: 2 }), "truncated");
    expectError(await read(streamed([stop, other], "")), "truncated");
  });

  test("may lack its last line end", async () => {
    const outcome = await read(streamed([delta({ content: "a" }), stop], "").trimEnd());
    expect(outcome).toEqual({ items: [text("a"), finish], error: undefined });
  });

  test("of nothing, or of comments only, is truncated", async () => {
    for (const body of ["", "\n\n", ": ping\n\n", ": OPENROUTER PROCESSING\n\n: ", "data:\n\n"]) {
      expectError(await read(body), "truncated");
    }
    expectError(await outcomeOf(openaiStream(new Response(null))), "truncated");
  });

  test("is not spoilt by what breaks after the last finish", async () => {
    for (const end of ["data: nonsense\n\n", 'data: {"error":{"message":"late"}}\n\n', 'data: {"usage":']) {
      expect(await read(streamed([stop], end))).toEqual({ items: [finish], error: undefined });
    }
  });

  test("by a broken connection is truncated, and says how", async () => {
    const head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    const chunk = (body: string): string => `${Buffer.byteLength(body).toString(16)}\r\n${body}\r\n`;
    for (const [chunkSaid, event] of [
      [delta({ content: "a" }), text("a")],
      [stop, finish],
    ] as const) {
      // Bun drops what it hasn't given out yet when a connection breaks: so it breaks only after the event came.
      using server = rawServer(head + chunk(streamed([chunkSaid], "")), "keep");
      const events = openaiStream(await fetch(server.url))[Symbol.asyncIterator]();
      expect(await events.next()).toEqual({ done: false, value: event });
      const end = outcomeOf({ [Symbol.asyncIterator]: () => events });
      server.breakOff();
      if (event === finish) expect(await end).toEqual({ items: [], error: undefined });
      else expectError(await end, "truncated", /ECONNRESET/);
    }
  });
});

describe("an error in an answer", () => {
  const failing = { error: { message: "Slow down", type: "rate_limit_error", param: null, code: 429 } };

  test("is thrown after what came before it", async () => {
    const outcome = await read(streamed([delta({ content: "a" }), failing]));
    expect(outcome.items).toEqual([text("a")]);
    expectError(outcome, "rate-limited", /^Slow down$/);
  });

  test.each([
    [
      "an error object beside choices",
      streamed([{ ...failing, choices: [{ delta: {}, finish_reason: "error" }] }]),
    ],
    [
      "an error within a choice",
      streamed([{ choices: [{ ...failing, delta: {}, finish_reason: "error" }] }]),
    ],
    ["an event named error", `event: error\ndata: ${JSON.stringify(failing.error)}\n\n`],
    ["a JSON document", JSON.stringify(failing)],
    ["a JSON list", JSON.stringify([failing])],
    ["vLLM's form", streamed([{ object: "error", ...failing.error }])],
    ["an event without its line end", streamed([failing], "").trimEnd()],
  ])("is understood as %s", async (_form, body) => {
    expectError(await read(body), "rate-limited", /^Slow down$/);
  });

  test("that is null is none", async () => {
    expect((await read(streamed([{ ...stop, error: null }]))).error).toBeUndefined();
  });
});

describe("what can't be understood", () => {
  test.each([
    ["data: not json\n\n", /: not json$/],
    ["data: 5\n\n", /: 5$/],
    [`data: ${"x".repeat(1000)}\n\n`, /: x{199}…$/],
    ["<!DOCTYPE html>\n<title>Sign in</title>", /DOCTYPE html> <title>Sign in/],
    ["upstream connect error", /upstream connect error/],
    ['{"hello":"world"}', /\{"hello":"world"\}/],
    ['{"a": nope}', /nope/],
    ["[1]", /\[1\]/],
    [streamed([{ choices: [{ index: -1, delta: {} }] }]), /index -1/],
  ])("is a bad response with a short excerpt: %p", async (body, message) => {
    expectError(await read(body), "bad-response", message);
  });
});

describe("an answer in one JSON document", () => {
  const message = { role: "assistant", content: "Hello", refusal: null, annotations: [] };
  const completion = {
    ...HEAD,
    choices: [{ index: 0, message, logprobs: null, finish_reason: "stop" }],
    usage: USAGE,
  };

  test("becomes the same events, whatever its content type says", async () => {
    const events = [
      ANSWER_EVENTS[0],
      text("Hello"),
      { type: "extra", at: "delta", fields: { annotations: [] } },
      finish,
      USAGE_EVENT,
    ];
    for (const type of ["application/json", "text/event-stream"]) {
      const response = new Response(`\n  ${JSON.stringify(completion)}\n`, {
        headers: { "content-type": type },
      });
      expect(await outcomeOf(openaiStream(response))).toEqual({
        items: events as ChatEvent[],
        error: undefined,
      });
    }
  });

  test("may have several choices, lists of parts, reasoning, logprobs and tool calls", async () => {
    const first = {
      content: [
        { type: "text", text: "a" },
        { type: "text", text: "b" },
      ],
      reasoning_content: "r",
    };
    const second = {
      content: null,
      tool_calls: [{ id: "t", type: "function", function: { name: "f", arguments: "{}" } }],
    };
    const { items, error } = await read(
      JSON.stringify({
        choices: [
          { index: 0, message: first, logprobs: { content: [1] }, finish_reason: "stop" },
          { index: 1, message: second, finish_reason: "tool_calls" },
        ],
      }),
      { choices: 2 },
    );
    expect(error).toBeUndefined();
    expect(items).toEqual([
      { type: "reasoning", text: "r" },
      text("ab"),
      { type: "extra", at: "choice", fields: { logprobs: { content: [1] } } },
      finish,
      { type: "tool-call", index: 0, id: "t", name: "f", arguments: "{}", choice: 1 },
      { type: "finish", reason: "tool_calls", choice: 1 },
    ]);
  });

  test("that is cut at any byte, or lacks its finish reason, is no answer", async () => {
    const body = JSON.stringify(completion);
    for (let length = 0; length < body.length; length++) {
      const { error } = await read(body.slice(0, length));
      expect(error).toMatchObject({ code: expect.stringMatching(/^(truncated|bad-response)$/) });
    }
    expectError(await read(JSON.stringify({ choices: [{ message }] })), "truncated");
    expectError(await read(JSON.stringify({ choices: [] })), "truncated");
    using cut = rawServer('HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{"choices":[{}', "close");
    expectError(await outcomeOf(openaiStream(await fetch(cut.url))), "truncated", /ECONNRESET/);
  });

  test("is refused beyond 64 MiB", async () => {
    const piece = new Uint8Array(1024 * 1024).fill(0x7b);
    expectError(await read(Array.from({ length: 66 }, () => piece)), "bad-response", /too large/);
  });
});

describe("a consumer of an answer", () => {
  test("that leaves cancels the body", async () => {
    await using server = silentServer(streamed([delta({ content: "a" }), delta({ content: "b" })], ""));
    for await (const event of openaiStream(await fetch(server.url))) {
      expect(event).toEqual(text("a"));
      break;
    }
    await server.gone;
  });

  test.each(["", "data: ", "{"])("that leaves while it waits after %p cancels the body", async (start) => {
    await using server = silentServer(`\n${start}`);
    const events = openaiStream(await fetch(server.url))[Symbol.asyncIterator]();
    const waiting = events.next();
    await events.return?.();
    expect(await waiting).toEqual({ done: true, value: undefined });
    await server.gone;
  });

  test("reads nothing after `[DONE]`: the body is cancelled though the server keeps it open", async () => {
    await using server = silentServer(streamed([stop]));
    expect((await outcomeOf(openaiStream(await fetch(server.url)))).items).toEqual([finish]);
    await server.gone;
  });

  test("that gets an error has the body cancelled", async () => {
    await using server = silentServer(streamed([delta({ content: "a" })], "data: nonsense\n\n"));
    expectError(await outcomeOf(openaiStream(await fetch(server.url))), "bad-response");
    await server.gone;
  });

  test("gets the reason when its call is aborted", async () => {
    await using server = silentServer(streamed([stop], ""));
    const controller = new AbortController();
    const { signal } = controller;
    const events = openaiStream(await fetch(server.url, { signal }), { signal })[Symbol.asyncIterator]();
    await events.next();
    const waiting = events.next();
    controller.abort(new Error("the client left"));
    await expect(waiting).rejects.toThrow("the client left");
    await server.gone;
  });
});
