import { expect, test } from "bun:test";
import { Anthropic } from "@anthropic-ai/sdk";
import * as fc from "fast-check";
import type { ChatEvent } from "modelyard/plugin";
import { answering, recorded } from "../../../test/support/anthropic-upstream.ts";
import { cutAt, outcomeOf, streamOf } from "../../../test/support/pieces.ts";
import { testCall } from "../../../test/support/plugin-host.ts";
import { answerOf } from "./answer.ts";

const read = (body: BodyInit, type?: string) => outcomeOf(answerOf(answering(body, type), testCall().call));

function event(data: { readonly type: string; readonly [field: string]: unknown }): string {
  return `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`;
}

/** Events as few as they can be: pieces of one text, thought or call put together. */
function together(events: readonly ChatEvent[]): ChatEvent[] {
  const merged: ChatEvent[] = [];
  for (const event of events) {
    const last = merged.at(-1);
    if (event.type === "text" && last?.type === "text") {
      merged.splice(-1, 1, { ...last, text: last.text + event.text });
    } else if (event.type === "reasoning" && last?.type === "reasoning" && event.block === last.block) {
      merged.splice(-1, 1, { ...last, ...event, text: last.text + event.text });
    } else if (event.type === "tool-call" && last?.type === "tool-call" && event.index === last.index) {
      merged.splice(-1, 1, { ...last, arguments: (last.arguments ?? "") + (event.arguments ?? "") });
    } else merged.push(event);
  }
  return merged;
}

const SIGNATURES = [
  "EqQBCgIYAhIM1gbcDa9GJwZA2b3hGgxBdjrkzLoky3dl1pkiMOYds/+0==",
  "ErUBCkYIBxgCIkC7+/Zk9Uq0Vt8xTzqL5oQyWcXb==",
] as const;

test("a streamed text is its pieces, its usage and its end", async () => {
  const { items, error } = await read(recorded("text.sse"));
  const usage = {
    input_tokens: 25,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: 0,
    output_tokens: 1,
    service_tier: "standard",
  };
  expect(error).toBeUndefined();
  expect(items).toEqual([
    { type: "extra", at: "chunk", fields: { id: "msg_01Text", model: "claude-sonnet-4-5-20250929" } },
    { type: "usage", usage: { input: 25, cachedInput: 0, cacheWrite: 0, output: 1, raw: usage } },
    { type: "text", text: "Zoë sagt: " },
    { type: "text", text: "„你好“ 👋🏽" },
    {
      type: "usage",
      usage: { input: 25, cachedInput: 0, cacheWrite: 0, output: 15, raw: { ...usage, output_tokens: 15 } },
    },
    { type: "finish", reason: "stop", native: "end_turn" },
  ]);
});

test("thoughts keep their blocks, signatures and secrets; calls their ids; of no arguments nothing is said", async () => {
  const { items, error } = await read(recorded("tools.sse"));
  expect(error).toBeUndefined();
  expect(together(items.filter(({ type }) => type !== "usage" && type !== "extra"))).toEqual([
    {
      type: "reasoning",
      text: "The user wants two cities. I'll ask for both.",
      block: 0,
      signature: SIGNATURES[0],
    },
    {
      type: "reasoning",
      text: "",
      block: 1,
      redacted: "EmwKAhgBEgy3va3pzix/LafPsn4aDFIT2Xlxh0L5L8rLVyIwxtE3rAFBa8cr3qpP",
    },
    { type: "text", text: "Let me look that up." },
    { type: "reasoning", text: "Both at once.", block: 3, signature: SIGNATURES[1] },
    {
      type: "tool-call",
      index: 0,
      id: "toolu_01A09q90qw90lq917835lq9",
      name: "get_weather",
      arguments: `{"city": "Łódź", "unit": "celsius"}`,
    },
    { type: "tool-call", index: 1, id: "toolu_02B", name: "list_cities" },
    { type: "finish", reason: "tool_calls", native: "tool_use" },
  ]);
  const raw = {
    input_tokens: 472,
    cache_creation_input_tokens: 100,
    cache_read_input_tokens: 2000,
    output_tokens: 189,
    output_tokens_details: { thinking_tokens: 40 },
  };
  expect(items.findLast(({ type }) => type === "usage")).toEqual({
    type: "usage",
    usage: { input: 2572, cachedInput: 2000, cacheWrite: 100, output: 189, reasoning: 40, raw },
  });
});

test("a plain answer says what the streamed one says", async () => {
  const streamed = await read(recorded("tools.sse"));
  const plain = await read(recorded("tools.json"), "application/json");
  expect(plain.error).toBeUndefined();
  const compact = (events: readonly ChatEvent[]) =>
    together(events)
      .filter(({ type }) => type !== "usage")
      .map((event) =>
        event.type === "tool-call"
          ? { ...event, arguments: JSON.parse(event.arguments ?? "{}") as unknown }
          : event,
      );
  expect(compact(plain.items)).toEqual(compact(streamed.items));
  const lastUsage = (events: readonly ChatEvent[]) => events.findLast(({ type }) => type === "usage");
  expect(lastUsage(plain.items)).toEqual(lastUsage(streamed.items));
});

test("the recordings are what Anthropic's own SDK understands, and it understands the same", async () => {
  const client = new Anthropic({
    apiKey: "k",
    fetch: async () => answering(recorded("tools.sse")),
  });
  const message = await client.messages.stream({ model: "m", max_tokens: 1, messages: [] }).finalMessage();
  const plain = JSON.parse(new TextDecoder().decode(recorded("tools.json"))) as { content: unknown[] };
  expect(message.content as unknown[]).toEqual(plain.content);
  expect(message.stop_reason).toBe("tool_use");
});

test("server tools' blocks and citations go on as they are, each once it is complete", async () => {
  const { items, error } = await read(recorded("server-tools.sse"));
  expect(error).toBeUndefined();
  const fields = items.flatMap((event) =>
    event.type === "extra" && event.at === "delta" ? [event.fields] : [],
  );
  const citation = {
    type: "web_search_result_location",
    url: "https://example.com/weather",
    title: "Weather",
    encrypted_index: "Eo8BCioIAhgB",
    index: 3,
  };
  expect(fields).toEqual([
    {
      content_blocks: [
        {
          index: 1,
          type: "server_tool_use",
          id: "srvtoolu_01",
          name: "web_search",
          input: { query: "weather" },
        },
      ],
    },
    {
      content_blocks: [
        {
          index: 2,
          type: "web_search_tool_result",
          tool_use_id: "srvtoolu_01",
          content: [
            {
              type: "web_search_result",
              title: "Weather",
              url: "https://example.com/weather",
              encrypted_content: "EqgfCioIARgBIiQ3YTAw",
              page_age: "1 day ago",
            },
          ],
        },
      ],
    },
    { text_citations: [{ ...citation, cited_text: "It is sunny" }] },
    { text_citations: [{ ...citation, cited_text: "in Lisbon" }] },
  ]);
  expect(items.filter(({ type }) => type === "tool-call")).toEqual([]);
  const usage = items.findLast((each) => each.type === "usage")?.usage;
  expect(usage).toMatchObject({
    input: 10_682,
    output: 510,
    raw: { server_tool_use: { web_search_requests: 1 } },
  });
});

test.each(["text.sse", "tools.sse", "server-tools.sse", "refusal.sse", "overloaded.sse"])(
  "however %s is cut into packets, with LF or CRLF, it says the same",
  async (name) => {
    const whole = recorded(name);
    const wire = [whole, new TextEncoder().encode(new TextDecoder().decode(whole).replaceAll("\n", "\r\n"))];
    const expected = await read(whole);
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...wire),
        fc.array(fc.nat(), { maxLength: 30 }),
        async (bytes, places) => {
          const seen = await read(streamOf(cutAt(bytes, places)));
          expect(seen.items).toEqual(expected.items);
          expect(String(seen.error)).toBe(String(expected.error));
        },
      ),
      { numRuns: 60 },
    );
    const bytewise = await read(streamOf([...whole].map((byte) => new Uint8Array([byte]))));
    expect(bytewise.items).toEqual(expected.items);
  },
);

test("however the arguments of parallel calls are cut into deltas, they are the same", async () => {
  const input = fc.dictionary(fc.string(), fc.jsonValue(), { minKeys: 1, maxKeys: 4 });
  const pieces = fc.array(fc.nat(), { maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(input, pieces), { minLength: 1, maxLength: 3 }), async (calls) => {
      const said = calls.map(([members, places], index) => {
        const text = JSON.stringify(members);
        const ends = [...places.map((place) => place % text.length), text.length].toSorted((a, b) => a - b);
        const deltas = ends.map((end, at) =>
          event({
            type: "content_block_delta",
            index,
            delta: { type: "input_json_delta", partial_json: text.slice(ends[at - 1] ?? 0, end) },
          }),
        );
        const content_block = { type: "tool_use", id: `t${index}`, name: "f", input: {} };
        const begin = event({ type: "content_block_start", index, content_block });
        return [begin, ...deltas, event({ type: "content_block_stop", index })].join("");
      });
      const end = event({ type: "message_delta", delta: { stop_reason: "tool_use" } });
      const { items } = await read([...said, end, event({ type: "message_stop" })].join(""));
      expect(together(items).slice(0, -1)).toEqual(
        calls.map(([members], index) => ({
          type: "tool-call",
          index,
          id: `t${index}`,
          name: "f",
          arguments: JSON.stringify(members),
        })),
      );
    }),
    { numRuns: 100 },
  );
});

test("a refusal ends as content_filter, with Anthropic's own details", async () => {
  const { items } = await read(recorded("refusal.sse"));
  expect(items.at(-1)).toEqual({
    type: "finish",
    reason: "content_filter",
    native: "refusal",
    fields: { stop_details: { type: "refusal", category: "cyber", explanation: "That could do harm." } },
  });
});

const REASONS = {
  end_turn: "stop",
  stop_sequence: "stop",
  max_tokens: "length",
  model_context_window_exceeded: "length",
  tool_use: "tool_calls",
  refusal: "content_filter",
  pause_turn: "stop",
  something_new: "stop",
};

test.each(Object.entries(REASONS))("the stop reason %s is %s", async (native, reason) => {
  const delta = { stop_reason: native, stop_sequence: native === "stop_sequence" ? "END" : null };
  const { items } = await read(event({ type: "message_delta", delta }) + event({ type: "message_stop" }));
  const stopSequence = native === "stop_sequence" ? { stopSequence: "END" } : {};
  expect(items.at(-1)).toEqual({ type: "finish", reason, native, ...stopSequence } as ChatEvent);
  const plain = await read(JSON.stringify({ type: "message", content: [], ...delta }), "application/json");
  expect(plain.items).toEqual(items);
});

test("an error in mid-stream fails in the upstream's words, by its type", async () => {
  const { items, error } = await read(recorded("overloaded.sse"));
  expect(items.at(-1)).toEqual({ type: "text", text: "Half an" });
  expect(error).toMatchObject({ code: "unavailable", message: "Overloaded" });
});

const ERRORS = {
  overloaded_error: "unavailable",
  rate_limit_error: "rate-limited",
  api_error: "failed",
  timeout_error: "timeout",
  authentication_error: "rejected",
  permission_error: "rejected",
  billing_error: "out-of-credit",
  invalid_request_error: "bad-request",
  not_found_error: "bad-request",
};

test.each(Object.entries(ERRORS))("%s is %s, streamed and plain", async (type, code) => {
  const said = { type: "error", error: { type, message: "No." } };
  expect((await read(event(said))).error).toMatchObject({ code, message: "No." });
  const plain = await read(JSON.stringify(said), "application/json");
  expect(plain.error).toMatchObject({ code, message: "No." });
});

test.each([
  ["no end at all", event({ type: "ping" })],
  ["a stop_reason at the start only", event({ type: "message_start", message: { stop_reason: "end_turn" } })],
  [
    "a stop_reason that more follows",
    event({ type: "message_delta", delta: { stop_reason: "end_turn" } }) +
      event({ type: "content_block_start", index: 0, content_block: { type: "text", text: "more" } }),
  ],
  ["message_stop without a stop_reason", event({ type: "message_stop" })],
  [
    'message_stop behind the stop_reason "null"',
    event({ type: "message_delta", delta: { stop_reason: "null" } }) + event({ type: "message_stop" }),
  ],
  ["an event that is cut", `event: message_delta\ndata: {"type":"message_del`],
])("%s is no finished answer", async (_, body) => {
  const { items, error } = await read(body);
  expect(items.filter(({ type }) => type === "finish")).toEqual([]);
  expect(error).toMatchObject({ code: "truncated" });
});

test.each([
  ["nothing behind it", ""],
  ["[DONE]", "data: [DONE]\n\n"],
  ["message_stop", event({ type: "message_stop" })],
])("a stop_reason with %s ends the answer", async (_, end) => {
  const { items, error } = await read(
    event({ type: "message_delta", delta: { stop_reason: "max_tokens" } }) + end,
  );
  expect(error).toBeUndefined();
  expect(items).toEqual([{ type: "finish", reason: "length", native: "max_tokens" }]);
});

test("a stop_reason at the start counts where an end mark comes", async () => {
  const start = event({ type: "message_start", message: { stop_reason: "end_turn" } });
  for (const end of ["data: [DONE]\n\n", event({ type: "message_stop" })])
    expect((await read(start + end)).items.at(-1)).toMatchObject({ type: "finish", native: "end_turn" });
});

test.each([
  ["no JSON in an event", "data: {oops\n\n", undefined],
  ["no object in an event", "data: 7\n\n", undefined],
  ["a page of HTML", "<html><title>Hello</title></html>", "text/html"],
  ["some other JSON", `{"hello":1}`, "application/json"],
  [
    "arguments of nothing",
    event({ type: "content_block_delta", index: 4, delta: { type: "input_json_delta", partial_json: "{" } }),
    undefined,
  ],
])("%s can't be understood", async (_, body, type) => {
  expect((await read(body, type)).error).toMatchObject({ code: "bad-response" });
});

test("what the API adds goes on under its own name, and what comes after the end is left", async () => {
  const { items, error } = await read(
    event({ type: "message_start", message: { id: "m", container: { id: "c" }, content: [] } }) +
      event({ type: "novelty", news: 1 }) +
      event({ type: "content_block_delta", index: 7, delta: { type: "mood_delta", mood: "good" } }) +
      event({ type: "content_block_start", index: 0, content_block: { type: "compaction", content: "" } }) +
      event({ type: "content_block_delta", index: 0, delta: { type: "compaction_delta", content: "So " } }) +
      event({ type: "content_block_delta", index: 0, delta: { type: "compaction_delta", content: "far" } }) +
      event({ type: "content_block_stop", index: 0 }) +
      event({
        type: "message_delta",
        delta: { stop_reason: "end_turn", container: { id: "c", expires_at: "soon" } },
        context_management: { applied_edits: [] },
      }) +
      event({ type: "message_stop" }) +
      "data: nonsense\n\n",
  );
  expect(error).toBeUndefined();
  expect(items).toEqual([
    { type: "extra", at: "chunk", fields: { id: "m", container: { id: "c" } } },
    { type: "extra", at: "chunk", fields: { novelty: { news: 1 } } },
    {
      type: "extra",
      at: "delta",
      fields: { content_deltas: [{ index: 7, type: "mood_delta", mood: "good" }] },
    },
    {
      type: "extra",
      at: "delta",
      fields: { content_blocks: [{ index: 0, type: "compaction", content: "So far" }] },
    },
    {
      type: "extra",
      at: "chunk",
      fields: { container: { id: "c", expires_at: "soon" }, context_management: { applied_edits: [] } },
    },
    { type: "finish", reason: "stop", native: "end_turn" },
  ]);
});

test("who leaves while an event is awaited closes the connection at once", async () => {
  const cancelled = Promise.withResolvers<void>();
  const body = new ReadableStream<Uint8Array>({ cancel: () => cancelled.resolve() });
  const events = answerOf(answering(body), testCall().call)[Symbol.asyncIterator]();
  const next = events.next();
  void events.return?.();
  await cancelled.promise;
  expect(await next).toEqual({ done: true, value: undefined });
});
