import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { ChatEvent, JsonObject } from "modelyard/plugin";
import { cutAt, outcomeOf, streamOf } from "../../../test/support/pieces.ts";
import { answerOf } from "./answer.ts";

const fixture = (name: string) => Bun.file(new URL(`../fixtures/${name}`, import.meta.url)).text();
const TEXT = await fixture("text.sse");
const CALLS = await fixture("calls.sse");
const ERROR = await fixture("overloaded.json");

type Outcome = { items: ChatEvent[]; error: unknown };

function read(body: string | readonly Uint8Array[], choices = 1): Promise<Outcome> {
  const stream = typeof body === "string" ? streamOf([new TextEncoder().encode(body)]) : streamOf(body);
  return outcomeOf(answerOf(new Response(stream), { choices, call: new AbortController() }));
}

const streamed = (...chunks: readonly object[]) =>
  chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`).join("");

const says = (parts: readonly object[], more: object = {}) => ({
  candidates: [{ content: { role: "model", parts }, index: 0, ...more }],
});

const usages = (events: readonly ChatEvent[]) =>
  events.filter((event) => event.type === "usage").map(({ usage }) => usage);
const withoutUsage = (events: readonly ChatEvent[]) => events.filter((event) => event.type !== "usage");

describe("a stream", () => {
  test("of thoughts and text, with a signature", async () => {
    const { items, error } = await read(TEXT);
    expect(error).toBeUndefined();
    expect(withoutUsage(items)).toEqual([
      { type: "extra", at: "chunk", fields: { model: "gemini-2.5-flash", id: "x1QjabPvL9aJ_uMPqLmQ4Ak" } },
      { type: "reasoning", text: "**Weighing words**\n\nA greeting is asked for." },
      { type: "text", text: "Grüße " },
      { type: "text", text: "aus Köln 👋" },
      {
        type: "extra",
        at: "delta",
        fields: { extra_content: { google: { thought_signature: "CiQB0e2Kb7Zq+/8x==" } } },
      },
      {
        type: "extra",
        at: "choice",
        fields: { safetyRatings: [{ category: "HARM_CATEGORY_HARASSMENT", probability: "NEGLIGIBLE" }] },
      },
      { type: "finish", reason: "stop", native: "STOP" },
    ]);
    expect(usages(items)).toMatchObject([
      { input: 12, output: 33, reasoning: 33 },
      { input: 12, output: 36, reasoning: 33 },
      { input: 12, cachedInput: 4, output: 42, reasoning: 33 },
    ]);
    expect(usages(items)[2]?.raw).toMatchObject({ totalTokenCount: 54 });
  });

  test("of parallel calls, signed and unsigned, with and without an id", async () => {
    const { items, error } = await read(CALLS);
    expect(error).toBeUndefined();
    expect(withoutUsage(items).slice(1)).toEqual([
      {
        type: "tool-call",
        index: 0,
        name: "weather_of",
        arguments: '{"city":"Lisbon","days":2}',
        fields: { extra_content: { google: { thought_signature: "EtEDCs4DAXLI2nx+/Qq0==" } } },
      },
      { type: "tool-call", index: 1, name: "weather_of", arguments: '{"city":"Porto","days":2}' },
      { type: "tool-call", index: 2, id: "own-7", name: "now", arguments: "" },
      { type: "finish", reason: "stop", native: "STOP" },
    ]);
    // The last chunk repeats the usage of the one before it.
    expect(usages(items)).toHaveLength(2);
  });

  test.each([
    ["text.sse", TEXT],
    ["calls.sse", CALLS],
  ])("says the same however its bytes are split, with LF and with CRLF: %s", async (_, text) => {
    const whole = await read(text);
    const lineFeeds = text.replaceAll("\r\n", "\n");
    for (const variant of [lineFeeds, lineFeeds.replaceAll("\n", "\r\n")]) {
      const bytes = new TextEncoder().encode(variant);
      await fc.assert(
        fc.asyncProperty(fc.array(fc.nat(bytes.length), { maxLength: 12 }), async (places) => {
          expect(await read(cutAt(bytes, places))).toEqual(whole);
        }),
        { numRuns: 60 },
      );
      expect(await read(cutAt(bytes, [...bytes.keys()]))).toEqual(whole);
    }
  });

  test("that ends at any byte is whole if and only if its finish reason was had", async () => {
    const bytes = new TextEncoder().encode(TEXT);
    const whole = await read(TEXT);
    const lastBrace = TEXT.trimEnd().length;
    const needed = new TextEncoder().encode(TEXT.slice(0, lastBrace)).length;
    for (let length = 1; length <= bytes.length; length++) {
      const { items, error } = await read([bytes.subarray(0, length)]);
      if (length >= needed) expect({ items, error }).toEqual(whole);
      else expect(error).toMatchObject({ code: "truncated" });
    }
  });

  test("that has an error in it fails with that error, whichever way Google writes it", async () => {
    const begun = streamed(says([{ text: "Hel" }]));
    const one = (JSON.parse(ERROR) as object[])[0] as object;
    for (const end of [
      ERROR,
      JSON.stringify(one, undefined, 2),
      JSON.stringify(one, undefined, 2).replaceAll("\n", "\r\n"),
      streamed(one),
      streamed(JSON.parse(ERROR) as object),
    ]) {
      const { items, error } = await read(begun + end);
      expect(items).toEqual([{ type: "text", text: "Hel" }]);
      expect(error).toMatchObject({ code: "rate-limited", retryAfterMs: 34_000 });
    }
    expect((await read(ERROR)).error).toMatchObject({ code: "rate-limited", retryAfterMs: 34_000 });
  });

  test("tells what comes after its finish, and of what is none of it nothing", async () => {
    const done = streamed(says([{ text: "Hi" }], { finishReason: "STOP" }));
    const items: ChatEvent[] = [
      { type: "text", text: "Hi" },
      { type: "finish", reason: "stop", native: "STOP" },
    ];
    for (const end of ["", "data: [DONE]\n\n", ": bye\n\n", "data: {", "nonsense\n\n"])
      expect(await read(done + end)).toEqual({ items, error: undefined });
    for (const [end, code] of [
      [ERROR, "rate-limited"],
      ["data: nonsense\n\n", "bad-response"],
      [streamed({ error: { code: 500 } }), "failed"],
    ] as const) {
      const outcome = await read(done + end);
      expect(outcome.items).toEqual(items);
      expect(outcome.error).toMatchObject({ code });
    }
  });

  test("loses nothing that comes behind a finish reason, which is then no end", async () => {
    const said = (text: string, more = {}) => streamed(says([{ text }], more));
    const [first, more] = [said("Hel", { finishReason: "STOP" }), said("lo")];
    const textsOf = (items: readonly ChatEvent[]) =>
      items.map((event) => (event.type === "text" ? event.text : event.type));
    const cut = await read(first + more);
    expect([textsOf(cut.items), cut.error]).toMatchObject([["Hel", "finish", "lo"], { code: "truncated" }]);
    for (const end of ["data: [DONE]\n\n", streamed(says([], { finishReason: "STOP" }))])
      expect((await read(first + more + end)).error).toBeUndefined();
  });

  test.each(["null", "None", "", "FINISH_REASON_UNSPECIFIED"])(
    "has no finish reason where it says %p",
    async (finishReason) => {
      const { error } = await read(streamed(says([{ text: "Hi" }], { finishReason })));
      expect(error).toMatchObject({ code: "truncated" });
    },
  );

  test("needs the finish of each candidate", async () => {
    const two = (first: object, second: object) => ({
      candidates: [
        { index: 0, content: { parts: [{ text: "a" }] }, ...first },
        { index: 1, content: { parts: [{ text: "b" }] }, ...second },
      ],
    });
    const { items, error } = await read(
      streamed(two({ finishReason: "STOP" }, { finishReason: "MAX_TOKENS" })),
      2,
    );
    expect(error).toBeUndefined();
    expect(items).toEqual([
      { type: "text", text: "a" },
      { type: "finish", reason: "stop", native: "STOP" },
      { type: "text", text: "b", choice: 1 },
      { type: "finish", reason: "length", native: "MAX_TOKENS", choice: 1 },
    ]);
    expect((await read(streamed(two({ finishReason: "STOP" }, {})), 2)).error).toMatchObject({
      code: "truncated",
    });
    expect((await read(streamed(says([], { finishReason: "STOP" })), 2)).error).toMatchObject({
      code: "truncated",
    });
  });

  test("is left at once when its reader goes", async () => {
    const left = Promise.withResolvers<void>();
    const body = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(new TextEncoder().encode(streamed(says([{ text: "more" }])))),
      cancel: () => left.resolve(),
    });
    for await (const event of answerOf(new Response(body), {
      choices: 1,
      call: new AbortController(),
    })) {
      expect(event).toEqual({ type: "text", text: "more" });
      break;
    }
    await left.promise;
  });

  test("rejects with the call's reason when it breaks because of an abort", async () => {
    const leaving = new AbortController();
    const reason = new Error("left");
    const body = new ReadableStream<Uint8Array>({
      pull() {
        leaving.abort(reason);
        throw new Error("aborted");
      },
    });
    const { error } = await outcomeOf(answerOf(new Response(body), { choices: 1, call: leaving }));
    expect(error).toBe(reason);
  });
});

describe("a document", () => {
  test("that isn't there is no answer", async () => {
    const { error } = await outcomeOf(
      answerOf(new Response(null), { choices: 1, call: new AbortController() }),
    );
    expect(error).toMatchObject({ code: "bad-response" });
  });

  test("says all that stands beside its text", async () => {
    const { items, error } = await read(await fixture("plain.json"));
    expect(error).toBeUndefined();
    expect(items[1]).toEqual({ type: "text", text: "Lisbon is sunny." });
    expect(items[2]).toMatchObject({
      type: "extra",
      at: "choice",
      fields: {
        avgLogprobs: -0.0123,
        citationMetadata: { citationSources: [{ endIndex: 6 }] },
        groundingMetadata: { webSearchQueries: ["weather lisbon"] },
        logProbabilitySum: -0.21,
        logprobs: {
          refusal: null,
          content: [
            {
              token: "Lisbon",
              logprob: -0.01,
              bytes: null,
              token_id: 1234,
              top_logprobs: [{}, { token: "It", logprob: -4.5 }],
            },
            { token: " is sunny.", logprob: -0.2, top_logprobs: [{ token: " is sunny." }] },
          ],
        },
      },
    });
    expect(items[2]).not.toHaveProperty("fields.logprobsResult");
    expect(usages(items)).toMatchObject([{ input: 16, output: 4 }]);
    expect(usages(items)[0]).not.toHaveProperty("reasoning");
  });

  test("of which the prompt was blocked is as many empty answers as were asked for", async () => {
    const { items, error } = await read(await fixture("blocked.json"), 2);
    expect(error).toBeUndefined();
    expect(items.map(({ type }) => type)).toEqual(["extra", "finish", "finish", "usage"]);
    expect(items[0]).toMatchObject({
      at: "chunk",
      fields: { promptFeedback: { blockReason: "PROHIBITED_CONTENT" } },
    });
    expect(items.slice(1, 3)).toEqual([
      { type: "finish", reason: "content_filter", native: "PROHIBITED_CONTENT" },
      { type: "finish", reason: "content_filter", native: "PROHIBITED_CONTENT", choice: 1 },
    ]);
  });

  test("may be the list that a stream is without alt=sse", async () => {
    const list = JSON.stringify([says([{ text: "a" }]), says([{ text: "b" }], { finishReason: "STOP" })]);
    const { items } = await read(list);
    expect(items.map((event) => (event.type === "text" ? event.text : event.type))).toEqual([
      "a",
      "b",
      "finish",
    ]);
  });

  test.each([
    [`{"candidates": [{"content"`, "truncated"],
    [`{"candidates": []}`, "bad-response"],
    ["[]", "bad-response"],
    [`{"usageMetadata": {"promptTokenCount": 1}}`, "bad-response"],
    [streamed({ usageMetadata: { promptTokenCount: 1 } }), "bad-response"],
    [`{"candidates": [{"finishReason": "FINISH_REASON_UNSPECIFIED"}]}`, "bad-response"],
    [`{"hello": 1}`, "bad-response"],
    [`{"candidates": [{"index": -1}]}`, "bad-response"],
    [`[1]`, "bad-response"],
    [`{"candidates": nonsense}`, "bad-response"],
    [`{"error": {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}}`, "unavailable"],
    ["", "bad-response"],
    ["<html>hello</html>", "bad-response"],
    ["da", "truncated"],
    ["data: hello\n\n", "bad-response"],
  ])("%s is %s", async (text, code) => {
    const { items, error } = await read(text);
    expect(withoutUsage(items)).toEqual([]);
    expect(error).toMatchObject({ code });
  });
});

test("a document without a finish reason ends with a marked stop: it did not break off", async () => {
  for (const more of [{}, { finishReason: "null" }]) {
    const { items, error } = await read(JSON.stringify(says([{ text: "Hi" }], more)));
    expect(error).toBeUndefined();
    expect(items.at(-1)).toEqual({ type: "finish", reason: "stop", fields: { native_finish_reason: null } });
  }
});

test.each([
  [{}, "{}"],
  [undefined, ""],
  [null, ""],
  ["", ""],
  ['{"a":1}', '{"a":1}'],
  [{ a: 1 }, '{"a":1}'],
])("a call with the arguments %j has %j", async (args, expected) => {
  const { items } = await read(
    JSON.stringify(says([{ functionCall: { name: "f", args } }], { finishReason: "STOP" })),
  );
  expect(items[0]).toMatchObject({ type: "tool-call", name: "f", arguments: expected });
});

describe("a finish reason", () => {
  test.each([
    ["STOP", "stop"],
    ["MAX_TOKENS", "length"],
    ["CONTINUATION", "length"],
    ["SAFETY", "content_filter"],
    ["RECITATION", "content_filter"],
    ["LANGUAGE", "content_filter"],
    ["BLOCKLIST", "content_filter"],
    ["PROHIBITED_CONTENT", "content_filter"],
    ["SPII", "content_filter"],
    ["IMAGE_SAFETY", "content_filter"],
    ["IMAGE_RECITATION", "content_filter"],
    ["SOMETHING_NEW", "stop"],
  ])("%s is %s", async (finishReason, reason) => {
    const { items, error } = await read(JSON.stringify({ candidates: [{ finishReason }] }));
    expect({ items, error }).toEqual({
      items: [{ type: "finish", reason, native: finishReason } as ChatEvent],
      error: undefined,
    });
  });

  test.each([
    ["MALFORMED_FUNCTION_CALL", "model-failed"],
    ["OTHER", "model-failed"],
    ["NO_IMAGE", "model-failed"],
    ["MISSING_THOUGHT_SIGNATURE", "bad-request"],
  ])("%s commits to nothing by itself: %s", async (finishReason, code) => {
    const candidate = { finishReason, finishMessage: "print(x", safetyRatings: [{ a: 1 }] };
    const { items, error } = await read(JSON.stringify({ candidates: [candidate] }));
    expect(items).toEqual([]);
    expect(error).toMatchObject({ code, message: `Gemini ended its answer with ${finishReason}: print(x` });
  });
});

describe("a part", () => {
  const event = (fields: JsonObject): ChatEvent => ({ type: "extra", at: "delta", fields });

  test.each([
    [
      { inlineData: { mimeType: "image/png", data: "aGk=" } },
      event({ images: [{ type: "image_url", image_url: { url: "data:image/png;base64,aGk=" } }] }),
    ],
    [
      { executableCode: { language: "PYTHON", code: "1" } },
      event({ content_parts: [{ executableCode: { language: "PYTHON", code: "1" } }] }),
    ],
    [{ thoughtSignature: "s" }, event({ extra_content: { google: { thought_signature: "s" } } })],
    [{ text: "", thoughtSignature: "s" }, event({ extra_content: { google: { thought_signature: "s" } } })],
  ])("%j", async (part, expected) => {
    const { items } = await read(JSON.stringify(says([part], { finishReason: "STOP" })));
    expect(items.slice(0, -1)).toEqual([expected]);
  });
});
