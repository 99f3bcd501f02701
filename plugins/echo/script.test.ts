import { describe, expect, test } from "bun:test";
import type { Upstream } from "modelyard/plugin";
import { answerOf, asking } from "../../test/support/chat-answers.ts";
import type { Answer } from "../../test/support/chat-answers.ts";
import { testCall, testHost } from "../../test/support/plugin-host.ts";
import echo from "./index.ts";
import type { Step } from "./options.ts";

async function opened(...rules: { match?: string; model?: string; steps: Step[] }[]): Promise<Upstream> {
  const script = rules.map((rule) => ({ match: "*", ...rule }));
  return echo.open({ models: ["echo", "parrot"], script }, testHost().host);
}

const scripted = async (...steps: Step[]): Promise<Answer> => answerOf(await opened({ steps }), asking("hi"));

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
