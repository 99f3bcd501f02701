import { describe, expect, test } from "bun:test";
import type { ChatEvent, ChatRequest, Json, TSchema, Upstream } from "modelyard/plugin";
import { outcomeOf } from "../../test/support/pieces.ts";
import { testCall, testHost } from "../../test/support/plugin-host.ts";
import type { TestCall } from "../../test/support/plugin-host.ts";
import echo from "./index.ts";
import { options } from "./options.ts";
import type { Step } from "./options.ts";

function asking(
  content: ChatRequest["messages"][number]["content"],
  fields: Record<string, Json> = {},
): ChatRequest {
  return { model: "echo", messages: [{ role: "user", content: content ?? null }], ...fields };
}

async function opened(...rules: { match?: string; model?: string; steps: Step[] }[]): Promise<Upstream> {
  const script = rules.map((rule) => ({ match: "*", ...rule }));
  return echo.open({ models: ["echo", "parrot"], script }, testHost().host);
}

/** What an answer is, choice by choice. */
interface Answer {
  readonly texts: readonly string[];
  readonly pieces: readonly string[];
  readonly events: readonly ChatEvent[];
  readonly finishes: readonly ChatEvent[];
  readonly usage: unknown;
  readonly error: unknown;
}

async function answerOf(
  upstream: Upstream,
  request: ChatRequest,
  call: TestCall = testCall(),
): Promise<Answer> {
  const { items: events, error } = await outcomeOf(await upstream.chat(request, call.call));
  const said = events.filter((event) => event.type === "text");
  const choices = [...new Set(said.map((event) => event.choice ?? 0))];
  return {
    events,
    error,
    pieces: said.map((event) => event.text),
    texts: choices.map((choice) =>
      said
        .filter((event) => (event.choice ?? 0) === choice)
        .map((event) => event.text)
        .join(""),
    ),
    finishes: events.filter((event) => event.type === "finish"),
    usage: events.findLast((event) => event.type === "usage")?.usage,
  };
}

async function echoed(request: ChatRequest, call?: TestCall): Promise<Answer> {
  return answerOf(await opened(), request, call);
}

const scripted = async (...steps: Step[]): Promise<Answer> => answerOf(await opened({ steps }), asking("hi"));

describe("the echo", () => {
  test("repeats the last user message word by word, and counts words", async () => {
    const answer = await echoed({
      model: "echo",
      messages: [
        { role: "system", content: "Be kind." },
        { role: "user", content: "first" },
        { role: "assistant", content: null },
        { role: "user", content: "  one two\n three " },
        { role: "assistant", content: "an example" },
      ],
    });
    expect(answer.pieces).toEqual(["  ", "one ", "two\n ", "three "]);
    expect(answer.finishes).toEqual([{ type: "finish", reason: "stop", choice: 0 }]);
    expect(answer.usage).toEqual({ input: 8, output: 3 });
    expect(answer.error).toBeUndefined();
  });

  test("is the same each time, whatever the sampling", async () => {
    const once = await echoed(asking("a b c"));
    const again = await echoed(asking("a b c", { temperature: 2, top_p: 0.1, seed: 5 }));
    expect(again).toEqual(once);
  });

  test.each([
    [
      asking([
        { type: "text", text: "a" },
        { type: "image_url", image_url: {} },
        { type: "text", text: "b" },
      ]),
      "a\nb",
    ],
    [{ model: "echo", messages: [{ role: "system", content: "x" }] }, "There is no user message to repeat."],
    [{ model: "echo", messages: [] }, "There is no user message to repeat."],
    [asking(""), "There is no user message to repeat."],
    [asking(null), "There is no user message to repeat."],
    [asking(" \n"), " \n"],
    [asking("no\u{1F600}break"), "no\u{1F600}break"],
  ] as [ChatRequest, string][])("of %j is %j", async (request, text) => {
    expect((await echoed(request)).texts).toEqual([text]);
  });

  test.each([
    ["max_tokens", 2, "a b ", "length"],
    ["max_completion_tokens", 1, "a ", "length"],
    ["max_tokens", 3, "a b c", "stop"],
    ["max_tokens", null, "a b c", "stop"],
  ])("with %s %p is %j, and its finish is %s", async (name, value, text, reason) => {
    const answer = await echoed(asking("a b c", { [name]: value }));
    expect(answer.texts).toEqual([text]);
    expect(answer.finishes).toMatchObject([{ reason }]);
  });

  test.each([
    ["c", "a b ", "c"],
    [["x", "d", "b c"], "a ", "b c"],
    [["x"], "a b c d", undefined],
    [null, "a b c d", undefined],
  ])("with stop %j is %j", async (stop, text, stopSequence) => {
    const answer = await echoed(asking("a b c d", { stop }));
    expect(answer.texts).toEqual([text]);
    const named = stopSequence === undefined ? {} : { stopSequence };
    expect(answer.finishes).toEqual([{ type: "finish", reason: "stop", choice: 0, ...named }]);
  });

  test("comes as often as it is asked for", async () => {
    const answer = await echoed(asking("a b", { n: 3 }));
    expect(answer.texts).toEqual(["a b", "a b", "a b"]);
    expect(answer.finishes.length).toBe(3);
    expect(answer.usage).toEqual({ input: 2, output: 6 });
  });

  test.each([
    ["n", 0],
    ["n", 129],
    ["n", 1.5],
    ["max_tokens", -1],
    ["max_completion_tokens", "9"],
  ])("refuses %s %p", async (param, value) => {
    expect((await echoed(asking("a", { [param]: value }))).error).toMatchObject({
      code: "bad-request",
      param,
    });
  });

  test("names what asks for another form of answer, and nothing else", async () => {
    const call = testCall();
    await echoed(
      asking("a", {
        tool_choice: "required",
        logprobs: true,
        response_format: { type: "json_object" },
        temperature: 1,
        tools: [],
      }),
      call,
    );
    expect([...call.ignored.keys()]).toEqual(["tool_choice", "logprobs", "response_format"]);
    const plain = testCall();
    await echoed(
      asking("a", { tool_choice: "auto", logprobs: false, response_format: { type: "text" } }),
      plain,
    );
    expect(plain.ignored.size).toBe(0);
    expect(plain.connected).toBe(1);
  });

  test("of a large text lets others have their turn, and ends when its call is aborted", async () => {
    const call = testCall();
    setImmediate(() => call.abort(new Error("the client left")));
    const answer = await echoed(asking("word ".repeat(100_000)), call);
    expect(answer.error).toEqual(new Error("the client left"));
    expect(answer.pieces.length).toBeLessThan(10_000);
  });
});

describe("its models", () => {
  test("are those of its options", async () => {
    const models = await (await opened()).models(new AbortController().signal);
    expect(models.map(({ id }) => id)).toEqual(["echo", "parrot"]);
    expect((await echoed({ ...asking("a"), model: "parrot" })).texts).toEqual(["a"]);
  });

  test("are no others", async () => {
    const upstream = await opened();
    expect(() => upstream.chat({ ...asking("a"), model: "x" }, testCall().call)).toThrow(
      expect.objectContaining({ code: "no-such-model" }),
    );
  });
});

describe("a script", () => {
  test("is searched for the first rule that matches, and else there is the echo", async () => {
    const upstream = await opened(
      { match: "weather", steps: [{ text: "sunny" }] },
      { model: "parrot", steps: [{ text: "squawk" }] },
    );
    const said = async (content: string, model = "echo"): Promise<readonly string[]> =>
      (await answerOf(upstream, { ...asking(content), model })).texts;
    expect(await said("the weather?")).toEqual(["sunny"]);
    expect(await said("the weather?", "parrot")).toEqual(["sunny"]);
    expect(await said("hello", "parrot")).toEqual(["squawk"]);
    expect(await said("hello")).toEqual(["hello"]);
  });

  test("says what its steps say, finishes by itself and counts words", async () => {
    const { events } = await scripted(
      { extra: { at: "chunk", fields: { id: "x" } } },
      { reasoning: "let me see" },
      { text: "one two" },
      { extra: { at: "delta", fields: { refusal: null } } },
      { extra: { at: "choice", fields: { logprobs: {} } } },
    );
    expect(events).toEqual([
      { type: "extra", at: "chunk", fields: { id: "x" } },
      { type: "reasoning", text: "let me see", choice: 0 },
      { type: "text", text: "one two", choice: 0 },
      { type: "extra", at: "delta", fields: { refusal: null }, choice: 0 },
      { type: "extra", at: "choice", fields: { logprobs: {} }, choice: 0 },
      { type: "finish", reason: "stop", choice: 0 },
      { type: "usage", usage: { input: 1, output: 5, reasoning: 3 } },
    ]);
  });

  test("calls tools", async () => {
    const { events } = await scripted(
      { tool_call: { id: "t", name: "f", arguments: { city: "Vienna" } } },
      { tool_call: { name: "g", arguments: "{}" } },
    );
    expect(events).toEqual([
      { type: "tool-call", index: 0, id: "t", name: "f", arguments: "", choice: 0 },
      { type: "tool-call", index: 0, arguments: '{"city":"Vienna"}', choice: 0 },
      { type: "tool-call", index: 1, name: "g", arguments: "", choice: 0 },
      { type: "tool-call", index: 1, arguments: "{}", choice: 0 },
      { type: "finish", reason: "tool_calls", choice: 0 },
      { type: "usage", usage: { input: 1, output: 2 } },
    ]);
  });

  test("has its own finish and token counts", async () => {
    const { events } = await scripted(
      { text: "a" },
      { finish: "content_filter" },
      { usage: { input: 9, cached_input: 3, cache_write: 1, output: 5, reasoning: 2 } },
    );
    expect(events.slice(1)).toEqual([
      { type: "finish", reason: "content_filter", choice: 0 },
      { type: "usage", usage: { input: 9, cachedInput: 3, cacheWrite: 1, output: 5, reasoning: 2 } },
    ]);
  });

  test("is played for each choice", async () => {
    const upstream = await opened({ steps: [{ text: "a" }, { text: "b" }] });
    const answer = await answerOf(upstream, asking("hi", { n: 2 }));
    expect(answer.texts).toEqual(["ab", "ab"]);
    expect(answer.finishes.length).toBe(2);
    expect(answer.usage).toEqual({ input: 1, output: 4 });
  });

  test("fails before or in the middle of an answer", async () => {
    const limit: Step = { error: { code: "rate-limited", message: "later", retry_after: 2000 } };
    const expected = { code: "rate-limited", message: "later", retryAfterMs: 2000 };
    expect(await scripted(limit)).toMatchObject({ events: [], error: expected });
    expect(await scripted({ text: "a" }, limit)).toMatchObject({
      texts: ["a"],
      finishes: [],
      error: expected,
    });
  });

  test("can break off without a finish", async () => {
    const { events, error } = await scripted({ text: "a" }, { cut: true }, { text: "b" });
    expect(events).toEqual([{ type: "text", text: "a", choice: 0 }]);
    expect(error).toBeUndefined();
  });

  test("waits as long as it says", async () => {
    const began = performance.now();
    expect((await scripted({ delay: 30 }, { text: "a" })).texts).toEqual(["a"]);
    expect(performance.now() - began).toBeGreaterThanOrEqual(29);
  });

  test.each([{ delay: 3_600_000 }, { hang: true }] as Step[])(
    "gives up the wait %j with its call",
    async (step) => {
      const call = testCall();
      const upstream = await opened({ steps: [{ text: "a" }, step, { text: "b" }] });
      const events = (await upstream.chat(asking("hi"), call.call))[Symbol.asyncIterator]();
      expect((await events.next()).value).toMatchObject({ text: "a" });
      const waiting = events.next();
      const reason = new Error("the client left");
      call.abort(reason);
      await expect(waiting).rejects.toBe(reason);
    },
  );
});

describe("its options", () => {
  test("are strict, and every property is described", () => {
    const lacking: string[] = [];
    const walk = (schema: TSchema, path: string): void => {
      const properties = (schema["properties"] ?? {}) as Record<string, TSchema>;
      if (schema["properties"] && schema["additionalProperties"] !== false)
        lacking.push(`${path}: not strict`);
      for (const [name, inner] of Object.entries(properties)) {
        if (!inner.description) lacking.push(`${path}.${name}: no description`);
        walk(inner, `${path}.${name}`);
      }
      if (schema["items"]) walk(schema["items"] as TSchema, `${path}[]`);
    };
    walk(options, "options");
    expect(lacking).toEqual([]);
  });
});
