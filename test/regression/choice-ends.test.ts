import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { JsonObject } from "../../src/contract/json.ts";
import type { Door } from "../support/openai-door.ts";
import {
  answers,
  callsIn,
  chunk,
  DONE,
  failureOf,
  openaiAt,
  plain,
  startDoor,
  streams,
} from "../support/openai-door.ts";

/**
 * The end of a choice, behind an OpenAI-like server: nothing is dropped behind a finish, and a call that is given to a
 * client can be run.
 * @module
 */
let door: Door;
beforeAll(async () => {
  door = await startDoor(openaiAt, "cache: { mode: off }\n");
});
afterAll(() => door[Symbol.asyncDispose]());

const ROLE = { role: "assistant", content: "" };

/** A piece of a tool call in a stream. */
function piece(index: unknown, said: { id?: string; name?: string; args?: unknown }): JsonObject {
  const fn = {
    ...(said.name !== undefined && { name: said.name }),
    ...(said.args !== undefined && { arguments: said.args }),
  };
  return {
    index,
    ...(said.id !== undefined && { id: said.id, type: "function" }),
    function: fn,
  } as JsonObject;
}

const call = (...pieces: JsonObject[]): string => chunk({ tool_calls: pieces });

async function streamed(...frames: string[]) {
  door.upstream.respond = streams(frames);
  return door.ask({ stream: true });
}

async function whole(message: JsonObject, finish = "tool_calls") {
  door.upstream.respond = answers(plain(message, { finish_reason: finish }));
  return door.ask();
}

describe("a finish that more follows", () => {
  test.each<[string, string[]]>([
    ["in the first chunk", [chunk(ROLE, "stop"), chunk({ content: "Hello" }), chunk({}, "stop"), DONE]],
    ["in every chunk", [chunk({ content: "Hel" }, "stop"), chunk({ content: "lo" }, "stop"), DONE]],
    [
      "in every chunk, with usage",
      [
        chunk({ content: "Hel" }, "stop", { usage: { prompt_tokens: 1, completion_tokens: 1 } }),
        chunk({ content: "lo" }, "stop", { usage: { prompt_tokens: 1, completion_tokens: 2 } }),
        DONE,
      ],
    ],
    ["and none behind it", [chunk({ content: "Hel" }, "stop"), chunk({ content: "lo" }), DONE]],
    [
      'as the word "null"',
      [chunk({ content: "Hel" }, "null"), chunk({ content: "lo" }, "null"), chunk({}, "stop"), DONE],
    ],
    [
      'as the word "None"',
      [chunk(ROLE, "None"), chunk({ content: "Hello" }, "None"), chunk({}, "stop"), DONE],
    ],
    ["in every chunk, without [DONE]", [chunk({ content: "Hel" }, "stop"), chunk({ content: "lo" }, "stop")]],
  ])("%s loses nothing, and comes last", async (_, frames) => {
    const answer = await streamed(...frames);
    expect(answer.error).toBeUndefined();
    expect(answer.choices).toMatchObject([{ message: { content: "Hello" }, finish_reason: "stop" }]);
    const last = answer.data.filter((line) => line.includes('"finish_reason":"'));
    expect(last).toHaveLength(1);
    expect(answer.data.slice(-2)).toEqual([last[0]!, "[DONE]"]);
    door.upstream.respond = streams(frames);
    const collected = await door.ask();
    expect(collected.choices).toMatchObject([{ message: { content: "Hello" }, finish_reason: "stop" }]);
  });

  test("isn't whole where the server only closes without another, or breaks", async () => {
    const answer = await streamed(chunk({ content: "Hel" }, "stop"), chunk({ content: "lo" }));
    expect(failureOf(answer).code).toBe("upstream_truncated");
    door.upstream.respond = (exchange) => {
      exchange.head(200, { "content-type": "text/event-stream" });
      exchange.chunk(chunk({ content: "Hel" }, "stop") + chunk({ content: "lo" }, "stop"));
      exchange.close();
    };
    expect(failureOf(await door.ask({ stream: true })).code).toBe("upstream_truncated");
  });

  test("holds no text back", async () => {
    const rest = Promise.withResolvers<void>();
    door.upstream.respond = async (exchange) => {
      exchange.head(200, { "content-type": "text/event-stream" });
      exchange.chunk(chunk({ content: "Hello" }, "stop"));
      await rest.promise;
      exchange.chunk(chunk({ content: "!" }, "stop") + DONE);
      exchange.end();
    };
    const response = await door.gateway.chat({
      model: "m",
      stream: true,
      messages: [{ role: "user", content: "q" }],
    });
    const decoder = new TextDecoder();
    let text = "";
    for await (const bytes of response.body ?? []) {
      text += decoder.decode(bytes);
      if (text.includes("Hello")) rest.resolve();
    }
    expect(text.indexOf('"content":"!"')).toBeLessThan(text.indexOf('"finish_reason":"stop"'));
    expect(text).toEndWith("data: [DONE]\n\n");
  });

  test("is the first that says why, where nothing comes between", async () => {
    const answer = await streamed(chunk({ content: "a" }, "length"), chunk({}, "stop"), DONE);
    expect(answer.choices[0]?.finish_reason).toBe("length");
  });
});

describe("tool calls that a server mixes up", () => {
  const [P, Q] = ['{"p":1}', '{"p":2}'];
  const both = [
    ["r", P],
    ["r", Q],
  ] as const;

  test.each<[string, JsonObject[]]>([
    ["one index, no ids", [piece(0, { name: "r", args: P }), piece(0, { name: "r", args: Q })]],
    [
      "one index, equal ids",
      [piece(0, { id: "i", name: "r", args: P }), piece(0, { id: "i", name: "r", args: Q })],
    ],
    ["equal ids", [piece(0, { id: "i", name: "r", args: P }), piece(1, { id: "i", name: "r", args: Q })]],
    [
      "one index, two ids",
      [piece(0, { id: "a", name: "r", args: P }), piece(0, { id: "b", name: "r", args: Q })],
    ],
  ])("are two calls with different ids: %s", async (_, pieces) => {
    const answers_ = [
      await whole({ role: "assistant", content: null, tool_calls: pieces }),
      await streamed(chunk(ROLE), ...pieces.map((each) => call(each)), chunk({}, "tool_calls"), DONE),
      await streamed(chunk(ROLE), call(...pieces), chunk({}, "stop"), DONE),
    ];
    for (const answer of answers_) {
      expect(callsIn(answer)).toEqual(both);
      expect(answer.choices[0]?.finish_reason).toBe("tool_calls");
      const ids = answer.choices[0]?.message.tool_calls?.map(({ id }) => id) ?? [];
      expect(new Set(ids).size).toBe(2);
      expect(ids.every((id) => id.length > 0)).toBe(true);
    }
  });

  test("begin anew with another name, or with the same one behind whole arguments", async () => {
    const other = [piece(0, { name: "r", args: P }), piece(0, { name: "s", args: Q })];
    expect(
      callsIn(await streamed(...other.map((each) => call(each)), chunk({}, "tool_calls"), DONE)),
    ).toEqual([
      ["r", P],
      ["s", Q],
    ]);
    const inPieces = [
      piece(0, { name: "r", args: "" }),
      piece(0, { args: '{"p"' }),
      piece(0, { args: ":1}" }),
      piece(0, { name: "r", args: "" }),
      piece(0, { args: '{"p":' }),
      piece(0, { args: "2}" }),
    ];
    expect(
      callsIn(await streamed(...inPieces.map((each) => call(each)), chunk({}, "tool_calls"), DONE)),
    ).toEqual(both);
  });

  test("go on where a name or an id is merely said again", async () => {
    const again = [
      piece(0, { id: "a", name: "r", args: '{"p"' }),
      piece(0, { id: "a", name: "r", args: ":1}" }),
      piece(0, { id: "a", name: "r", args: "" }),
      piece(0, { id: "a", name: "r", args: P }),
    ];
    expect(
      callsIn(await streamed(...again.map((each) => call(each)), chunk({}, "tool_calls"), DONE)),
    ).toEqual([["r", P]]);
  });

  test.each<[string, JsonObject[], string]>([
    ["an id that comes late", [piece(0, { name: "r", args: '{"p"' }), piece(0, { id: "a", args: ":1}" })], P],
    [
      "an id that is known, at another index",
      [piece(0, { id: "a", name: "r", args: '{"p"' }), piece(1, { id: "a", args: ":1}" })],
      P,
    ],
    [
      "a new id for each piece",
      [piece(0, { id: "a", name: "r", args: '{"p"' }), piece(0, { id: "b", args: ":1}" })],
      P,
    ],
    [
      "an index that is a text",
      [piece("0", { id: "a", name: "r", args: '{"p"' }), piece("0", { args: ":1}" })],
      P,
    ],
  ])("are put together by %s", async (_, pieces, expected) => {
    const answer = await streamed(...pieces.map((each) => call(each)), chunk({}, "tool_calls"), DONE);
    expect(answer.error).toBeUndefined();
    expect(callsIn(answer)).toEqual([["r", expected]]);
  });

  test.each<[string, number | undefined]>([
    ["one index", 0],
    ["no index", undefined],
  ])("are kept apart by the ids that their pieces say, with %s", async (_, index) => {
    const pieces = [
      piece(index, { id: "a", name: "r", args: '{"p"' }),
      piece(index, { id: "b", name: "s", args: '{"p"' }),
      piece(index, { id: "a", args: ":1}" }),
      piece(index, { id: "b", name: "s", args: ":2}" }),
    ];
    expect(
      callsIn(await streamed(...pieces.map((each) => call(each)), chunk({}, "tool_calls"), DONE)),
    ).toEqual([
      ["r", P],
      ["s", Q],
    ]);
  });

  test("may stand alone where a list should be", async () => {
    const alone = piece(undefined, { id: "a", name: "r", args: P });
    const answers_ = [
      await whole({ role: "assistant", content: null, tool_calls: alone }),
      await streamed(chunk({ tool_calls: alone }), chunk({}, "tool_calls"), DONE),
    ];
    for (const answer of answers_) expect(callsIn(answer)).toEqual([["r", P]]);
  });

  test("keep two indexes that are texts apart", async () => {
    const pieces = [
      piece("0", { id: "a", name: "r", args: "{" }),
      piece("1", { id: "b", name: "s", args: "{" }),
      piece("0", { args: '"p":1}' }),
      piece("1", { args: "}" }),
    ];
    expect(
      callsIn(await streamed(...pieces.map((each) => call(each)), chunk({}, "tool_calls"), DONE)),
    ).toEqual([
      ["r", P],
      ["s", "{}"],
    ]);
  });

  test.each<[string, JsonObject[]]>([
    ["an index that is none", [piece(0.5, { id: "a", name: "r", args: P })]],
    ["a negative index", [piece(-1, { id: "a", name: "r", args: P })]],
    ["a name in pieces", [piece(0, { id: "a", name: "re", args: "" }), piece(0, { name: "ad", args: P })]],
    [
      "arguments of two calls at one place",
      [piece(0, { id: "a", name: "r", args: P }), piece(0, { args: Q })],
    ],
  ])("are a bad response: %s", async (_, pieces) => {
    const answer = await streamed(
      chunk({ content: "x" }),
      ...pieces.map((each) => call(each)),
      chunk({}, "tool_calls"),
      DONE,
    );
    expect(failureOf(answer).code).toBe("upstream_bad_response");
    expect(failureOf(answer).message).not.toContain("the plugin");
  });
});

describe("arguments", () => {
  test.each([
    ["missing", undefined],
    ["null", null],
    ["empty", ""],
    ["blank", " \n"],
  ])("that are %s are an empty object", async (_, args) => {
    const calls = [piece(0, { id: "a", name: "r", args })];
    for (const answer of [
      await whole({ role: "assistant", content: null, tool_calls: calls }),
      await streamed(call(...calls), chunk({}, "tool_calls"), DONE),
      await streamed(call(...calls), chunk({}, "stop"), DONE),
    ]) {
      expect(JSON.parse(callsIn(answer)[0]?.[1] ?? "none")).toEqual({});
      expect(answer.choices[0]?.finish_reason).toBe("tool_calls");
    }
  });

  test.each([
    '{"path":"a',
    "{",
    '{"a":}',
    "{a:1}",
    '{"p":1}{"p":2}',
    "not json",
    "[".repeat(600) + "]".repeat(600),
  ])("%j are a bad response behind tool_calls and stop, and no finish", async (args) => {
    const calls = [piece(0, { id: "a", name: "r", args })];
    for (const reason of ["tool_calls", "stop"]) {
      const plainly = await whole({ role: "assistant", content: null, tool_calls: calls }, reason);
      expect([plainly.status, plainly.error?.code]).toEqual([502, "upstream_bad_response"]);
      const answer = await streamed(chunk({ content: "x" }), call(...calls), chunk({}, reason), DONE);
      expect(failureOf(answer).code).toBe("upstream_bad_response");
    }
  });

  test.each(["length", "content_filter"])("that %s cut stay open", async (reason) => {
    for (const args of ['{"path":"a', ""]) {
      const calls = [piece(0, { id: "a", name: "r", args })];
      for (const answer of [
        await whole({ role: "assistant", content: null, tool_calls: calls }, reason),
        await streamed(call(...calls), chunk({}, reason), DONE),
      ]) {
        expect(callsIn(answer)).toEqual([["r", args]]);
        expect(answer.choices[0]?.finish_reason).toBe(reason);
      }
    }
  });

  test.each(["null", "[]", '"text"', "12345678901234567890"])(
    "%s are JSON, and given as they are",
    async (args) => {
      const calls = [piece(0, { id: "a", name: "r", args })];
      expect(callsIn(await streamed(call(...calls), chunk({}, "tool_calls"), DONE))).toEqual([["r", args]]);
    },
  );

  test("of custom tools are text, also none", async () => {
    for (const input of ["SELECT {", ""]) {
      const tool_calls = [{ index: 0, id: "a", type: "custom", custom: { name: "sql", input } }];
      for (const answer of [
        await whole({ role: "assistant", content: null, tool_calls }),
        await streamed(chunk({ tool_calls }), chunk({}, "tool_calls"), DONE),
      ]) {
        expect(answer.choices[0]?.message.tool_calls).toMatchObject([{ custom: { name: "sql", input } }]);
        expect(answer.choices[0]?.finish_reason).toBe("tool_calls");
      }
    }
  });

  test("of OpenAI's old function_call are looked at as well", async () => {
    const said = (text: string): JsonObject => ({ function_call: { name: "f", arguments: text } });
    const good = await streamed(chunk(said("")), chunk({}, "function_call"), DONE);
    expect(good.choices).toMatchObject([
      { message: { function_call: { name: "f", arguments: "{}" } }, finish_reason: "function_call" },
    ]);
    expect(failureOf(await streamed(chunk(said('{"a')), chunk({}, "function_call"), DONE)).code).toBe(
      "upstream_bad_response",
    );
  });
});

describe("a document that parses did not break off", () => {
  test.each([
    { finish_reason: null },
    { finish_reason: "" },
    { finish_reason: "null" },
    { finish_reason: "None" },
    {},
  ])("with %j it ends with a stop that says so", async (more) => {
    door.upstream.respond = answers(plain({ role: "assistant", content: "Hi" }, more));
    const answer = await door.ask();
    expect(answer.status).toBe(200);
    expect(answer.choices).toMatchObject([
      { message: { content: "Hi" }, finish_reason: "stop", native_finish_reason: null },
    ]);
  });

  test.each([
    { choices: [] },
    { choices: [], usage: { prompt_tokens: 3, completion_tokens: 0 } },
    { choices: [null] },
    { choices: [{}] },
    { choices: [{ index: 0, message: null, finish_reason: "stop" }] },
    { code: 500, msg: "NOT FOUND" },
  ])("%j is a bad response, plain and streamed", async (body) => {
    door.upstream.respond = answers(body as JsonObject);
    for (const stream of [true, false]) {
      const { status, error } = await door.ask({ stream });
      expect([status, error?.code]).toEqual([502, "upstream_bad_response"]);
    }
  });

  test("an empty body and a 204 are bad responses", async () => {
    for (const status of [200, 204]) {
      door.upstream.respond = (exchange) => {
        exchange.head(status, status === 204 ? {} : { "content-length": "0" }, "length");
        exchange.end();
      };
      for (const stream of [true, false])
        expect((await door.ask({ stream })).error?.code).toBe("upstream_bad_response");
    }
  });
});

describe("what breaks a stream off is told in the upstream's words", () => {
  const failed = { error: { message: "the engine is on fire", type: "server_error" } };

  test.each<[string, string]>([
    ["bare JSON", JSON.stringify(failed)],
    ["bare JSON with a line end", `${JSON.stringify(failed)}\n`],
    ["bare JSON over several lines", `${JSON.stringify(failed, null, 2)}\n\n`],
    ["bare JSON behind a comment", `: ping\n\n${JSON.stringify(failed)}`],
  ])("%s", async (_, tail) => {
    for (const before of [chunk({ content: "Hello" }), ""]) {
      const { code, message } = failureOf(await streamed(before, tail));
      expect([code, message]).toEqual(["upstream_error", "the engine is on fire"]);
    }
  });

  test("a page is a bad response, and so is a stream without a choice", async () => {
    const page = "<!doctype html>\n<html><title>Bad gateway</title></html>\n";
    expect(failureOf(await streamed(chunk({ content: "Hello" }), page)).code).toBe("upstream_bad_response");
    const strange = 'data: {"code":500,"msg":"NOT FOUND"}\n\n';
    expect(failureOf(await streamed(strange)).code).toBe("upstream_bad_response");
  });

  test("a line that is cut is a break like any other", async () => {
    for (const cut of ["dat", 'data: {"choices":[{"delta"'])
      expect(failureOf(await streamed(chunk({ content: "Hello" }), cut)).code).toBe("upstream_truncated");
  });

  test.each([
    ["error", "MALFORMED_FUNCTION_CALL"],
    ["MALFORMED_FUNCTION_CALL", undefined],
    ["UNEXPECTED_TOOL_CALL", undefined],
    ["OTHER", undefined],
  ])("the finish reason %s with the native one %s is a failure that says it", async (reason, native) => {
    const more = native === undefined ? {} : { native_finish_reason: native };
    const last = `data: ${JSON.stringify({ choices: [{ index: 0, delta: {}, finish_reason: reason, ...more }] })}\n\n`;
    const { code, message } = failureOf(await streamed(chunk({ content: "x" }), last, DONE));
    expect(code).toBe("upstream_error");
    expect(message).toContain(native ?? reason);
  });
});
