import { describe, expect, test } from "bun:test";
import type { ChatRequest, TSchema, Upstream } from "modelyard/plugin";
import { answerOf, asking } from "../../test/support/chat-answers.ts";
import type { Answer } from "../../test/support/chat-answers.ts";
import { testCall, testHost } from "../../test/support/plugin-host.ts";
import type { TestCall } from "../../test/support/plugin-host.ts";
import echo from "./index.ts";
import { options } from "./options.ts";

async function opened(): Promise<Upstream> {
  return echo.open({ models: ["echo", "parrot"], script: [] }, testHost().host);
}

async function echoed(request: ChatRequest, call?: TestCall): Promise<Answer> {
  return answerOf(await opened(), request, call);
}

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
