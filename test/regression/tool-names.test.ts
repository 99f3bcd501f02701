import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { AN, GE, result, startTranslation, tool, toolCall } from "../support/translation.ts";
import type { Sent, Translation } from "../support/translation.ts";

/**
 * Names of tools that a vendor refuses: they are mapped, per request, and mapped back in the answer.
 * @module
 */
let stage: Translation;

beforeAll(async () => {
  stage = await startTranslation(
    "routes: [{ model: both, targets: [{ upstream: an, model: claude-sonnet-4-5 }, { upstream: ge, model: gemini-2.5-flash }] }]",
  );
});

afterAll(() => stage[Symbol.asyncDispose]());

const ODD = ["fs.read", "github.com/x__list", "read file", "名前", "9lives", "x".repeat(129), "a\ud83d"];
const ANTHROPIC = /^[a-zA-Z0-9_-]{1,128}$/;
const GEMINI = /^[a-zA-Z_][a-zA-Z0-9_.:-]{0,63}$/;

const tools = ["ok", "fs_read", ...ODD].map((name) => tool(name));

/** The names that a request was sent with: of the tools, of the calls in the history, and of the choice. */
function namesIn(up: Sent | undefined) {
  if (!up) throw new Error("nothing was sent");
  const parts = (up.contents ?? []).flatMap((content) => content.parts);
  const blocks = (up.messages ?? []).flatMap((message) => message.content);
  const choice = up.tool_choice?.name ?? up.toolConfig?.functionCallingConfig.allowedFunctionNames[0];
  return {
    tools: up.tools.flatMap((each) => each.functionDeclarations ?? [each]).map(({ name }) => name),
    history: [
      ...parts.flatMap((part) => part.functionCall?.name ?? part.functionResponse?.name ?? []),
      ...blocks.flatMap((block) => (block.type === "tool_use" ? (block.name ?? "") : [])),
    ],
    choice,
  };
}

describe.each([
  [AN, ANTHROPIC],
  [GE, GEMINI],
])("%s", (model, pattern) => {
  test("is sent names that it takes, each another one, the same in tools, history and choice", async () => {
    const { up, status } = await stage.ask({
      model,
      tools,
      tool_choice: { type: "function", function: { name: "fs.read" } },
      messages: [
        { role: "user", content: "q" },
        {
          role: "assistant",
          content: null,
          tool_calls: ODD.map((name, index) => toolCall(`c${index}`, name)),
        },
        ...ODD.map((_, index) => result(`c${index}`, "r")),
      ],
    });
    expect(status).toBe(200);
    const names = namesIn(up[0]);
    expect(names.tools.filter((name) => !pattern.test(name))).toEqual([]);
    expect(new Set(names.tools).size).toBe(tools.length);
    expect(names.tools.slice(0, 2)).toEqual(["ok", "fs_read"]);
    const sent = names.tools.slice(2);
    expect(new Set(names.history)).toEqual(new Set(sent));
    expect(names.history.slice(0, ODD.length)).toEqual(sent);
    expect(names.choice).toBe(sent[0]!);
  });

  test.each(ODD.map((name, index) => [name, index] as const))(
    "gives a call of %j back to the client under its name, plain and streamed",
    async (name, index) => {
      const first = await stage.ask({ model, tools, messages: [{ role: "user", content: "q" }] });
      const sent = namesIn(first.up[0]).tools[index + 2]!;
      stage.answer([{ text: "Let me see." }, { call: sent }, { call: "ok" }]);
      for (const stream of [false, true]) {
        const { calls } = await stage.ask({
          model,
          tools,
          stream,
          messages: [{ role: "user", content: "q" }],
        });
        const names = calls.flatMap((call) => call.function.name ?? []);
        expect(names.map((each) => each.toWellFormed())).toEqual([name.toWellFormed(), "ok"]);
      }
      stage.answer([{ text: "ok" }]);
    },
  );

  test("keeps a name that it takes, whatever another one becomes", async () => {
    const { up } = await stage.ask({
      model,
      tools: [tool("a b"), tool("a_b"), tool("a/b")],
      messages: [{ role: "user", content: "q" }],
    });
    const { tools: sent } = namesIn(up[0]);
    expect(sent[1]).toBe("a_b");
    expect(new Set(sent).size).toBe(3);
  });

  test("isn't asked with a tool that has no name: 400 with its place", async () => {
    for (const name of ["", undefined]) {
      const { status, error, up } = await stage.ask({
        model,
        tools: [tool("ok"), { type: "function", function: { name } }],
        messages: [{ role: "user", content: "q" }],
      });
      expect([status, error?.param, up.length]).toEqual([400, "tools[1].function.name", 0]);
    }
  });

  test("isn't asked with a call in the history that has no name: 400 with its place", async () => {
    const { status, error, up } = await stage.ask({
      model,
      messages: [
        { role: "user", content: "q" },
        { role: "assistant", content: null, tool_calls: [toolCall("c", "")] },
        result("c", "r"),
      ],
    });
    expect([status, error?.param, up.length]).toEqual([400, "messages[1].tool_calls[0].function.name", 0]);
  });
});

test("Gemini's own names go as they are: dots, colons and dashes", async () => {
  const { up } = await stage.ask({
    model: GE,
    tools: ["fs.read", "mcp:list", "a-b"].map((name) => tool(name)),
    messages: [{ role: "user", content: "q" }],
  });
  expect(namesIn(up[0]).tools).toEqual(["fs.read", "mcp:list", "a-b"]);
});

test("a tool of Anthropic's own form is named alike, and keeps its place among the names", async () => {
  const search = { type: "web_search_20250305", name: "web_search" };
  const { up } = await stage.ask({
    model: AN,
    tools: [tool("web search"), search],
    messages: [{ role: "user", content: "q" }],
  });
  expect(up[0]?.tools[1]).toEqual(search as never);
  expect(up[0]?.tools[0]?.name).not.toBe("web_search");
});
