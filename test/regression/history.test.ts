import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { AN, GE, GE3, result, startTranslation, tool, toolCall } from "../support/translation.ts";
import type { Asked, Block, Part, Translation } from "../support/translation.ts";

/**
 * Conversations as agents and chat clients keep them, given to the plugins anthropic and gemini.
 * @module
 */
let stage: Translation;

beforeAll(async () => {
  stage = await startTranslation(`
routes:
  - { model: an-oa, targets: [{ upstream: an, model: claude-sonnet-4-5 }, { upstream: oa, model: m }] }
  - { model: ge-oa, targets: [{ upstream: ge, model: gemini-2.5-flash }, { upstream: oa, model: m }] }`);
});

afterAll(() => stage[Symbol.asyncDispose]());

const user = (content: unknown) => ({ role: "user", content });
const calls = (...made: object[]) => ({ role: "assistant", content: null, tool_calls: made });
const ask = (model: string, ...messages: object[]) => stage.ask({ model, messages });
const both = (...messages: object[]) => stage.askBoth({ messages });

/** The turns that Anthropic was sent, each block as a short text. */
function turnsOfAnthropic({ up }: Asked): readonly (readonly string[])[] {
  return (up[0]?.messages ?? []).map(({ role, content }) => [role, ...content.map(shortBlock)]);
}

function shortBlock(block: Block): string {
  if (block.type === "tool_use") return `call ${block.id} ${block.name}`;
  if (block.type === "tool_result") return `result ${block.tool_use_id} ${JSON.stringify(block.content)}`;
  return block.text ?? block.type;
}

function turnsOfGemini({ up }: Asked): readonly (readonly string[])[] {
  return (up[0]?.contents ?? []).map(({ role, parts }) => [role, ...parts.map(shortPart)]);
}

function shortPart({ functionCall, functionResponse, text }: Part): string {
  if (functionCall) return `call ${functionCall.id} ${functionCall.name}`;
  if (!functionResponse) return text ?? "file";
  const { id, name, response } = functionResponse;
  return `result ${id} ${name} ${JSON.stringify(response)}`;
}

describe("a message between parallel results doesn't tear them apart", () => {
  const made = calls(toolCall("c1", "f1"), toolCall("c2", "f2"), toolCall("c3", "f3"));
  const [r1, r2, r3] = [result("c1", "1"), result("c2", "2"), result("c3", "3")];

  test.each([
    ["in the middle", [r3, user("mid"), r1, r2], ["c3", "c1", "c2"], ["mid"]],
    ["before the first", [user("mid"), r1, r2, r3], ["c1", "c2", "c3"], ["mid"]],
    ["twice", [r1, user("one"), r2, user("two"), r3], ["c1", "c2", "c3"], ["one", "two"]],
    [
      "a picture",
      [r1, user([{ type: "image_url", image_url: { url: "data:image/png;base64,iVBORw0KGgo=" } }]), r2, r3],
      ["c1", "c2", "c3"],
      ["picture"],
    ],
    [
      "with instructions among them",
      [r1, { role: "system", content: "Be brief." }, user("mid"), r2, r3],
      ["c1", "c2", "c3"],
      ["mid"],
    ],
  ])("%s", async (_, between, ids, said) => {
    const { an, ge } = await both(user("q"), made, ...between);
    const results = ids.map((id) => `result ${id}`);
    const anthropic = turnsOfAnthropic(an);
    expect(anthropic.map(([role]) => role)).toEqual(["user", "assistant", "user"]);
    const texts = said.map((text) => (text === "picture" ? "image" : text));
    expect(anthropic[2]?.slice(1).map((each) => each.replace(/ "\d"$/, ""))).toEqual([...results, ...texts]);
    const gemini = turnsOfGemini(ge);
    expect(gemini[2]?.slice(1).map((each) => each.split(" ").slice(0, 2).join(" "))).toEqual(results);
    expect(gemini.slice(3)).toEqual([["user", ...said.map((text) => (text === "picture" ? "file" : text))]]);
  });
});

describe("ids of tool calls that are alike", () => {
  test("are different ones for Anthropic where it takes other letters", async () => {
    const ids = ["a.1", "a_1", "a:1", "c\ud83d", "c_", ""];
    const made = calls(...ids.map((id, index) => toolCall(id, `f${index}`)));
    const asked = await ask(
      AN,
      user("q"),
      made,
      ...ids.map((id, index) => result(id, `r${index}`)).toReversed(),
    );
    const [, turn, results] = turnsOfAnthropic(asked);
    const sent = (turn ?? []).slice(1).map((each) => each.split(" ")[1] ?? "");
    expect(new Set(sent).size).toBe(ids.length);
    for (const id of sent) expect(id).toMatch(/^[a-zA-Z0-9_-]+$/);
    expect(results?.slice(1).toReversed()).toEqual(sent.map((id, index) => `result ${id} "r${index}"`));
  });

  test("in one turn have their results in the order of the calls", async () => {
    const made = calls(toolCall("c1", "get"), toolCall("c1", "get"), toolCall("c1", "put"));
    const { an, ge } = await both(user("q"), made, result("c1", "A"), result("c1", "B"), result("c1", "C"));
    const [, , anthropic] = turnsOfAnthropic(an);
    const ids = turnsOfAnthropic(an)[1]
      ?.slice(1)
      .map((each) => each.split(" ")[1]);
    expect(new Set(ids).size).toBe(3);
    expect(anthropic?.slice(1)).toEqual(
      ["A", "B", "C"].map((text, index) => `result ${ids?.[index]} "${text}"`),
    );
    const [, said, gemini] = turnsOfGemini(ge);
    const sent = said?.slice(1).map((each) => each.split(" ").slice(1).join(" "));
    expect(sent?.map((each) => each.split(" ")[1])).toEqual(["get", "get", "put"]);
    expect(gemini?.slice(1)).toEqual(
      ["A", "B", "C"].map((text, index) => `result ${sent?.[index]} {"output":"${text}"}`),
    );
  });

  test("in two turns are told apart, and those of the first stay as they are", async () => {
    const first = [user("q"), calls(toolCall("c1", "get")), result("c1", "A")];
    const { an, ge } = await both(...first, calls(toolCall("c1", "put")), result("c1", "B"));
    for (const turns of [turnsOfAnthropic(an), turnsOfGemini(ge)]) {
      const text = turns.map((turn) => turn.join(" ")).join("\n");
      expect(text).toContain("call c1 get");
      const second = / call (\S+) put/.exec(text)?.[1];
      expect(second).toBeDefined();
      expect(second).not.toBe("c1");
      expect(text.match(new RegExp(`result ${second} .*B`))).not.toBeNull();
      expect(text.match(/result c1 .*A/)).not.toBeNull();
    }
  });

  test("a result without its call is for the next target, or 400 with its place", async () => {
    const lost: (readonly object[])[] = [
      [user("q"), result("gone", "A")],
      [user("q"), calls(toolCall("c1", "f")), result("c1", "A"), result("c1", "again")],
      [user("q"), calls(toolCall("c1", "f")), { role: "tool", content: "A" }],
      [user("q"), { role: "function", name: "f", content: "A" }],
    ];
    for (const messages of lost) {
      const { an, ge } = await both(...messages);
      const place = `messages[${messages.length - 1}]`;
      for (const { status, error, up } of [an, ge]) {
        expect([status, error?.code, up.length]).toEqual([400, "unsupported_parameter", 0]);
        expect(error?.param?.startsWith(place)).toBe(true);
      }
      for (const model of ["an-oa", "ge-oa"]) {
        const { status, paths } = await ask(model, ...messages);
        expect([status, paths]).toEqual([200, ["/oa/v1/chat/completions"]]);
      }
    }
  });

  test("legacy function calls have their results on both", async () => {
    const made = { role: "assistant", content: null, function_call: { name: "now", arguments: '{"a":1}' } };
    const { an, ge } = await both(user("q"), made, { role: "function", name: "now", content: "noon" });
    expect(turnsOfAnthropic(an).slice(1)).toEqual([
      ["assistant", "call function_call_1 now"],
      ["user", 'result function_call_1 "noon"'],
    ]);
    expect(turnsOfGemini(ge).slice(1)).toEqual([
      ["model", "call function_call_1 now"],
      ["user", 'result function_call_1 now {"output":"noon"}'],
    ]);
  });
});

describe("a blank turn", () => {
  const blank: (readonly [string, readonly object[], number])[] = [
    ["the last user's, empty", [user("a"), { role: "assistant", content: "b" }, user("")], 2],
    ["the last user's, blank", [user("a"), { role: "assistant", content: "b" }, user("\n")], 2],
    ["the last user's, no parts", [user("a"), { role: "assistant", content: "b" }, user([])], 2],
    [
      "the last user's, blank parts",
      [user("a"), { role: "assistant", content: "b" }, user([{ type: "text", text: " " }])],
      2,
    ],
    ["two of the last turn", [user("a"), { role: "assistant", content: "b" }, user(" "), user("")], 3],
    ["the only one", [user("")], 0],
    ["the only one, null", [user(null)], 0],
    ["all of them", [user(" "), user("\t")], 1],
    ["beside instructions", [{ role: "system", content: "Obey." }, user(" ")], 1],
    ["instructions alone", [{ role: "system", content: " " }], 0],
    ["an assistant's alone", [{ role: "assistant", content: "" }], 0],
  ];

  test.each(blank)("%s: 400 with its place, or the next target", async (_, messages, place) => {
    const { an, ge } = await both(...messages);
    for (const { status, error, up } of [an, ge]) {
      expect([status, error?.param, up.length]).toEqual([400, `messages[${place}]`, 0]);
      expect(error?.message).toContain("missing text");
    }
    for (const model of ["an-oa", "ge-oa"]) expect((await ask(model, ...messages)).status).toBe(200);
  });

  test.each([
    [
      "of the middle",
      [
        user("a"),
        { role: "assistant", content: "b" },
        user("\n"),
        { role: "assistant", content: "c" },
        user("d"),
      ],
      [["a"], ["b", "c"], ["d"]],
    ],
    ["beside another of the user's", [user("a"), user("\n")], [["a"]]],
    ["of the assistant", [user("a"), { role: "assistant", content: "\n" }, user("b")], [["a", "b"]]],
  ])("%s is left out", async (_, messages, expected) => {
    const { an, ge } = await both(...messages);
    expect(turnsOfAnthropic(an).map(([, ...texts]) => texts)).toEqual(expected);
    expect(turnsOfGemini(ge).map(([, ...texts]) => texts)).toEqual(expected);
  });

  test("after results is left out: they are what is answered", async () => {
    const { an, ge } = await both(user("q"), calls(toolCall("c1", "f")), result("c1", "A"), user(" "));
    expect(turnsOfAnthropic(an)[2]).toEqual(["user", 'result c1 "A"']);
    expect(turnsOfGemini(ge).slice(2)).toEqual([["user", 'result c1 f {"output":"A"}']]);
  });

  test("instructions alone are asked as the user's", async () => {
    const { an, ge } = await both({ role: "system", content: "Say hello." });
    expect(turnsOfAnthropic(an)).toEqual([["user", "Say hello."]]);
    expect(turnsOfGemini(ge)).toEqual([["user", "Say hello."]]);
  });
});

describe("arguments that are no object", () => {
  const given: (readonly [unknown, object])[] = [
    ["", {}],
    [" ", {}],
    [null, {}],
    [undefined, {}],
    ["{}", {}],
    ["null", {}],
    ['""', {}],
    ["[]", {}],
    ['"{}"', {}],
    ['"{\\"a\\":1}"', { a: 1 }],
    [{ a: 1 }, { a: 1 }],
    ["{", { _invalid: "{" }],
    ['{"path":"a', { _invalid: '{"path":"a' }],
    ["[1]", { _invalid: "[1]" }],
    ["3", { _invalid: "3" }],
    ["rm -rf", { _invalid: "rm -rf" }],
    ['"text"', { _invalid: '"text"' }],
  ];

  test.each(given)("%j", async (args, expected) => {
    const { an, ge } = await both(user("q"), calls(toolCall("c1", "f", args)), result("c1", "A"));
    const [anthropic, gemini] = [an.up[0]?.messages[1]?.content[0], ge.up[0]?.contents[1]?.parts[0]];
    expect(anthropic?.input).toEqual(expected);
    expect(gemini?.functionCall?.args).toEqual(expected);
    const name = "_invalid" in expected ? "messages[].tool_calls[].function.arguments" : "";
    expect([an.ignored, ge.ignored].map(decodeURIComponent)).toEqual([name, name]);
  });
});

describe("a failed tool", () => {
  const FAILED = { is_error: true };

  test.each([[""], [" "], [null], [[]], [[{ type: "text", text: "" }]]])(
    "without output: %j",
    async (content) => {
      const { an, ge } = await both(user("q"), calls(toolCall("c1", "f")), result("c1", content, FAILED));
      const block = an.up[0]?.messages[2]?.content[0];
      expect(block).toMatchObject({ type: "tool_result", tool_use_id: "c1", is_error: true });
      expect(block?.content).toMatch(/\S/);
      const response = ge.up[0]?.contents[2]?.parts[0]?.functionResponse?.response;
      expect(Object.keys(response ?? {})).toEqual(["error"]);
      expect([an.ignored, ge.ignored]).toEqual(["", ""]);
    },
  );

  test("with a picture is no error for Anthropic, and that is named", async () => {
    const picture = { type: "image_url", image_url: { url: "data:image/png;base64,iVBORw0KGgo=" } };
    const content = [{ type: "text", text: "shot" }, picture];
    const { an } = await both(user("q"), calls(toolCall("c1", "f")), result("c1", content, FAILED));
    const block = an.up[0]?.messages[2]?.content[0];
    expect(block).not.toHaveProperty("is_error");
    expect(block?.content).toMatchObject([{ type: "text" }, { type: "image" }]);
    expect(decodeURIComponent(an.ignored)).toBe("messages[].is_error");
  });

  test("with its text is an error on both", async () => {
    const { an, ge } = await both(
      user("q"),
      calls(toolCall("c1", "f")),
      result("c1", "no such file", FAILED),
    );
    expect(an.up[0]?.messages[2]?.content[0]).toMatchObject({ content: "no such file", is_error: true });
    const response = ge.up[0]?.contents[2]?.parts[0]?.functionResponse?.response;
    expect(response).toEqual({ error: "no such file" });
  });
});

describe("the cache mark of a blank text moves to the block before", () => {
  const cache_control = { type: "ephemeral" };
  const q = { type: "text", text: "q" };
  const mark = { type: "text", text: "", cache_control };
  const marked = (blocks: readonly Block[] | undefined) =>
    blocks?.map((block) => block.cache_control !== undefined);

  test("of a user, of instructions, of a tool's result, of an assistant", async () => {
    const { up, ignored } = await ask(
      AN,
      { role: "system", content: [{ type: "text", text: "s" }, mark] },
      user([q, mark]),
      calls(toolCall("c1", "f")),
      result("c1", [mark]),
      user([{ type: "text", text: "a" }, { type: "text", text: "b" }, mark, { type: "text", text: "c" }]),
    );
    expect(marked(up[0]?.system)).toEqual([true]);
    expect(marked(up[0]?.messages[0]?.content)).toEqual([true]);
    expect(marked(up[0]?.messages[2]?.content)).toEqual([true, false, true, false]);
    expect(ignored).toBe("");
  });

  test("within a result", async () => {
    const { up } = await ask(AN, user("q"), calls(toolCall("c1", "f")), result("c1", [q, mark]));
    const content = up[0]?.messages[2]?.content[0]?.content as readonly Block[];
    expect(marked(content)).toEqual([true]);
  });

  test.each([
    ["an empty assistant's message", { role: "assistant", content: "", cache_control }],
    ["an assistant's blank part", { role: "assistant", content: [mark] }],
    ["a user's blank message", user([mark])],
    ["a user's blank message with a mark of its own", { role: "user", content: " ", cache_control }],
  ])("of %s", async (_, message) => {
    const { up, ignored } = await ask(AN, user([q]), message, user("more"));
    expect(marked(up[0]?.messages[0]?.content)).toEqual([true, false]);
    expect(ignored).toBe("");
  });

  test("or is named where there is none", async () => {
    const { up, ignored } = await ask(AN, user([mark, q]));
    expect(marked(up[0]?.messages[0]?.content)).toEqual([false]);
    expect(decodeURIComponent(ignored)).toBe("messages[].content[].cache_control");
  });
});

describe("what one of the APIs can't do is for the next target", () => {
  test.each([
    ["an unknown role", [{ role: "critic", content: "a" }, user("q")], "messages[0].role"],
    [
      "a call of a custom tool",
      [user("q"), calls({ id: "c", type: "custom", custom: { name: "x", input: "y" } })],
      "messages[1].tool_calls[0]",
    ],
    [
      "a call without a name",
      [user("q"), calls(toolCall("c", ""))],
      "messages[1].tool_calls[0].function.name",
    ],
  ])("%s", async (_, messages, param) => {
    const { an, ge } = await both(...messages);
    for (const { status, error, up } of [an, ge])
      expect([status, error?.code, error?.param, up.length]).toEqual([
        400,
        "unsupported_parameter",
        param,
        0,
      ]);
    for (const model of ["an-oa", "ge-oa"]) {
      const { status, paths } = await ask(model, ...messages);
      expect([status, paths]).toEqual([200, ["/oa/v1/chat/completions"]]);
    }
  });
});

test("an answer with doubled ids and odd names is given back with each result at its call", async () => {
  const tools = ["get", "put", "fs.read"].map((name) => tool(name));
  for (const model of [AN, GE, GE3]) {
    stage.answer([
      { call: "get", id: "i" },
      { call: "get", id: "i" },
      { call: "put", id: "i" },
    ]);
    const first = await stage.ask({ model, tools, messages: [user("q")] });
    stage.answer([{ text: "ok" }]);
    const history = [
      user("q"),
      calls(...first.calls),
      ...first.calls.map(({ id }, index) => result(id, `r${index}`)),
    ];
    const second = await stage.ask({ model, tools, messages: history });
    const [, made, results] = model === AN ? turnsOfAnthropic(second) : turnsOfGemini(second);
    const ids = made?.slice(1).map((each) => each.split(" ")[1]);
    expect(new Set(ids).size).toBe(3);
    expect(made?.slice(1).map((each) => each.split(" ")[2])).toEqual(["get", "get", "put"]);
    expect(results?.slice(1).map((each) => each.split(" ")[1])).toEqual(ids as string[]);
    results?.slice(1).forEach((each, index) => expect(each).toContain(`r${index}`));
  }
});
