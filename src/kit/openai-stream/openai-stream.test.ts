import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { ChatEvent, UpstreamError } from "modelyard/plugin";
import {
  HEAD,
  read,
  streamed,
  delta,
  stop,
  finish,
  text,
  expectError,
  USAGE_EVENT,
  ANSWER,
  ANSWER_EVENTS,
  USAGE,
} from "../../../test/support/openai-answers.ts";
import { cutAt, outcomeOf } from "../../../test/support/pieces.ts";
import { rawServer, silentServer } from "../../../test/support/silent-server.ts";
import { openaiStream } from "./openai-stream.ts";

const encoder = new TextEncoder();

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
    for (let length = 1; length < bytes.length; length++) {
      const outcome = await read([bytes.subarray(0, length)]);
      if (length < enough) expectError(outcome, "truncated");
      else expect(outcome.error).toBeUndefined();
    }
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

  test("of comments only is truncated", async () => {
    for (const body of [": ping\n\n", ": OPENROUTER PROCESSING\n\n: ", "data:\n\n"]) {
      expectError(await read(body), "truncated");
    }
  });

  test("of an empty body is a bad response", async () => {
    for (const body of ["", "\n\n"]) expectError(await read(body), "bad-response", /empty/);
    expectError(await outcomeOf(openaiStream(new Response(null))), "bad-response", /empty/);
  });

  test("tells of what breaks after the last finish, and of a cut usage doesn't", async () => {
    for (const [end, code] of [
      ["data: nonsense\n\n", "bad-response"],
      ['data: {"error":{"message":"late"}}\n\n', "failed"],
    ] as const) {
      const outcome = await read(streamed([stop], end));
      expect(outcome.items).toEqual([finish]);
      expectError(outcome, code);
    }
    expect(await read(streamed([stop], 'data: {"usage":'))).toEqual({ items: [finish], error: undefined });
  });

  test("is no end where a choice has said more behind its finish reason, unless `[DONE]` follows", async () => {
    const more = delta({ content: "a" });
    expectError(await read(streamed([stop, more], "")), "truncated");
    expect(await read(streamed([stop, more]))).toEqual({ items: [finish, text("a")], error: undefined });
    expect((await read(streamed([stop, more, stop], ""))).error).toBeUndefined();
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
      expectError(await end, "truncated", /ECONNRESET/);
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
    ["data: not json\n\n", /^not json$/],
    ["data: 5\n\n", /^5$/],
    [`data: ${"x".repeat(1000)}\n\n`, /^x{1000}$/],
    ["<!DOCTYPE html>\n<title>Sign in</title>", /DOCTYPE html> <title>Sign in/],
    ["upstream connect error", /upstream connect error/],
    ['{"hello":"world"}', /\{"hello":"world"\}/],
    ['{"a": nope}', /nope/],
    ["[1]", /\[1\]/],
  ])("is a bad response that tells the log what it was: %p", async (body, excerpt) => {
    const outcome = await read(body);
    expectError(outcome, "bad-response", /^the upstream sent something that is no completion$/);
    expect((outcome.error as UpstreamError).detail).toMatch(excerpt);
  });

  test("nor can a choice with an index that none can have", async () => {
    const body = streamed([{ choices: [{ index: -1, delta: {} }] }]);
    expectError(await read(body), "bad-response", /index -1/);
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
      text("a"),
      text("b"),
      { type: "extra", at: "delta", fields: { content_parts: first.content } },
      { type: "extra", at: "choice", fields: { logprobs: { content: [1] } } },
      finish,
      { type: "tool-call", index: 0, id: "t", name: "f", arguments: "{}", choice: 1 },
      { type: "finish", reason: "tool_calls", choice: 1 },
    ]);
  });

  test("that is cut at any byte, or has no choice, is no answer", async () => {
    const body = JSON.stringify(completion);
    for (let length = 0; length < body.length; length++) {
      const { error } = await read(body.slice(0, length));
      expect(error).toMatchObject({ code: expect.stringMatching(/^(truncated|bad-response)$/) });
    }
    for (const choices of [[], [null], [{}], [{ message: null, finish_reason: "stop" }]])
      expectError(await read(JSON.stringify({ choices, usage: USAGE })), "bad-response", /no completion/);
    using cut = rawServer('HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{"choices":[{}', "close");
    expectError(await outcomeOf(openaiStream(await fetch(cut.url))), "truncated", /ECONNRESET/);
  });

  test("ends with a marked stop where it lacks its finish reason: it did not break off", async () => {
    const marked = { type: "finish", reason: "stop", fields: { native_finish_reason: null } };
    for (const finish_reason of [null, "", "null", undefined]) {
      const { items, error } = await read(JSON.stringify({ choices: [{ message, finish_reason }] }));
      expect([items.at(-1), error]).toEqual([marked, undefined]);
    }
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
    const events = openaiStream(await fetch(server.url, { signal }), { call: { signal } })[
      Symbol.asyncIterator
    ]();
    await events.next();
    const waiting = events.next();
    controller.abort(new Error("the client left"));
    await expect(waiting).rejects.toThrow("the client left");
    await server.gone;
  });
});
