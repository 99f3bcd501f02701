import { describe, expect, test } from "bun:test";
import type { JsonObject } from "modelyard/plugin";
import { mapped } from "../../../test/support/anthropic-upstream.ts";

const PIXEL = "iVBORw0KGgo=";
const mark = { type: "ephemeral" };

/** The `messages` and `system` that a conversation becomes. */
function conversation(...messages: readonly JsonObject[]) {
  const { body, ignored } = mapped({ messages });
  return { messages: body["messages"], system: body["system"], ignored };
}

/** The blocks of a single user's message. */
function blocks(...content: readonly JsonObject[]) {
  return (conversation({ role: "user", content }).messages as [{ content: unknown }])[0].content;
}

describe("instructions", () => {
  test("all become system blocks in their order, wherever they stand, and the turns around them join", () => {
    const { messages, system } = conversation(
      { role: "system", content: "Be brief." },
      { role: "developer", content: [{ type: "text", text: "In verse.", cache_control: mark }] },
      { role: "user", content: "Hi" },
      { role: "system", content: "Now in prose." },
      { role: "user", content: "Go on" },
    );
    expect(system).toEqual([
      { type: "text", text: "Be brief." },
      { type: "text", text: "In verse.", cache_control: mark },
      { type: "text", text: "Now in prose." },
    ]);
    expect(messages).toEqual([
      {
        role: "user",
        content: [
          { type: "text", text: "Hi" },
          { type: "text", text: "Go on" },
        ],
      },
    ]);
  });

  test("on their own are asked as the user's, since the API wants a conversation", () => {
    const { messages, system } = conversation({ role: "system", content: "Say hello." });
    expect(system).toBeUndefined();
    expect(messages).toEqual([{ role: "user", content: [{ type: "text", text: "Say hello." }] }]);
  });

  test("Anthropic's own system goes first", () => {
    const messages = [
      { role: "system", content: "Second." },
      { role: "user", content: "Hi" },
    ];
    expect(mapped({ system: "First.", messages }).body["system"]).toEqual([
      { type: "text", text: "First." },
      { type: "text", text: "Second." },
    ]);
  });

  test("are texts: an image among them is refused by its place", () => {
    const image = { type: "image_url", image_url: { url: "https://example.com/a.png" } };
    const messages = [{ role: "system", content: [{ type: "text", text: "See:" }, image] }];
    expect(() => mapped({ messages })).toThrow(
      expect.objectContaining({ code: "unsupported", param: "messages[0].content[1]" }),
    );
  });
});

describe("parts", () => {
  test("images are fetched from their address, or come along as base64", () => {
    expect(
      blocks(
        { type: "image_url", image_url: { url: "https://example.com/a.png", detail: "auto" } },
        { type: "image_url", image_url: { url: `data:image/png;base64,${PIXEL}` }, cache_control: mark },
      ),
    ).toEqual([
      { type: "image", source: { type: "url", url: "https://example.com/a.png" } },
      {
        type: "image",
        source: { type: "base64", media_type: "image/png", data: PIXEL },
        cache_control: mark,
      },
    ]);
  });

  test("files are documents: PDFs, texts, those uploaded before, and images among them", () => {
    const file = (fields: JsonObject) => ({ type: "file", file: fields });
    const text = Buffer.from("Grüße").toString("base64");
    expect(
      blocks(
        file({ filename: "a.pdf", file_data: "data:application/pdf;base64,JVBERi0=" }),
        file({ filename: "bare.pdf", file_data: "JVBERi0=" }),
        file({ filename: "a.txt", file_data: `data:text/plain;charset=utf-8;base64,${text}` }),
        file({ file_id: "file_011" }),
        file({ file_data: `data:image/png;base64,${PIXEL}` }),
      ),
    ).toEqual([
      {
        type: "document",
        source: { type: "base64", media_type: "application/pdf", data: "JVBERi0=" },
        title: "a.pdf",
      },
      {
        type: "document",
        source: { type: "base64", media_type: "application/pdf", data: "JVBERi0=" },
        title: "bare.pdf",
      },
      {
        type: "document",
        source: { type: "text", media_type: "text/plain", data: "Grüße" },
        title: "a.txt",
      },
      { type: "document", source: { type: "file", file_id: "file_011" } },
      { type: "image", source: { type: "base64", media_type: "image/png", data: PIXEL } },
    ]);
  });

  test("texts that are blank are left out wherever they stand, as it refuses them", () => {
    const blank = " \n\t";
    const { messages, system } = conversation(
      { role: "system", content: blank },
      {
        role: "user",
        content: [
          { type: "text", text: blank },
          { type: "text", text: "Hi" },
        ],
      },
      { role: "assistant", content: blank, tool_calls: [call("toolu_1", "now", "{}")] },
      { role: "tool", tool_call_id: "toolu_1", content: blank },
    );
    expect(system).toBeUndefined();
    expect(messages).toEqual([
      { role: "user", content: [{ type: "text", text: "Hi" }] },
      { role: "assistant", content: [{ type: "tool_use", id: "toolu_1", name: "now", input: {} }] },
      { role: "user", content: [{ type: "tool_result", tool_use_id: "toolu_1" }] },
    ]);
  });

  test("an image is called by its official name, and a PDF is a document even where an image is meant to be", () => {
    const at = (url: string) => ({ type: "image_url", image_url: { url } });
    expect(
      blocks(at("data:image/jpg;base64,aGk="), at("data:application/pdf;base64,JVBERi0=")),
    ).toMatchObject([
      { type: "image", source: { media_type: "image/jpeg" } },
      { type: "document", source: { media_type: "application/pdf" } },
    ]);
  });

  test("what is Anthropic's own goes as it is; empty texts, which it refuses, are left out", () => {
    const own = { type: "search_result", source: "s", title: "t", content: [], citations: { enabled: true } };
    expect(blocks({ type: "text", text: "" }, own, { type: "text", text: "Hi" })).toEqual([
      own,
      { type: "text", text: "Hi" },
    ]);
  });

  test.each([
    [{ type: "input_audio", input_audio: { data: "", format: "wav" } }, "unsupported", ""],
    [{ type: "file", file: { file_data: "data:video/mp4;base64,AA==" } }, "unsupported", ".file.file_data"],
    [{ type: "file", file: {} }, "bad-request", ".file"],
    [{ type: "image_url", image_url: {} }, "bad-request", ".image_url"],
    [{ type: "image_url", image_url: { url: "data:image/png,%" } }, "bad-request", ".image_url"],
    [{ type: "text" }, "bad-request", ".text"],
  ])("%j is refused as %s, with its place", (part, code, where) => {
    expect(() => blocks({ type: "text", text: "See:" }, part)).toThrow(
      expect.objectContaining({ code, param: `messages[0].content[1]${where}` }),
    );
  });

  test("members without a counterpart are named", () => {
    const image_url = { url: "https://example.com/a.png", detail: "high" };
    const content = [
      { type: "image_url", image_url },
      { type: "text", text: "Hi", mood: "good" },
    ];
    expect(conversation({ role: "user", content, name: "Ann" }).ignored).toEqual([
      "messages[].name",
      "messages[].content[].image_url.detail",
      "messages[].content[].mood",
    ]);
  });
});

const call = (id: string, name: string, text: string) => ({
  id,
  type: "function",
  function: { name, arguments: text },
});

describe("tool use", () => {
  test("parallel calls and their results are one turn each, ids kept", () => {
    const { messages } = conversation(
      { role: "user", content: "Both?" },
      {
        role: "assistant",
        content: "Let me see.",
        tool_calls: [call("toolu_1", "weather", `{"city":"Lisbon"}`), call("toolu_2", "now", "")],
      },
      { role: "tool", tool_call_id: "toolu_1", content: "sunny" },
      {
        role: "tool",
        tool_call_id: "toolu_2",
        content: [{ type: "text", text: "noon" }],
        cache_control: mark,
        is_error: true,
      },
      { role: "user", content: "And?" },
    );
    expect(messages).toEqual([
      { role: "user", content: [{ type: "text", text: "Both?" }] },
      {
        role: "assistant",
        content: [
          { type: "text", text: "Let me see." },
          { type: "tool_use", id: "toolu_1", name: "weather", input: { city: "Lisbon" } },
          { type: "tool_use", id: "toolu_2", name: "now", input: {} },
        ],
      },
      {
        role: "user",
        content: [
          { type: "tool_result", tool_use_id: "toolu_1", content: "sunny" },
          {
            type: "tool_result",
            tool_use_id: "toolu_2",
            content: [{ type: "text", text: "noon" }],
            is_error: true,
            cache_control: mark,
          },
          { type: "text", text: "And?" },
        ],
      },
    ]);
  });

  test("ids of other upstreams are made such as Anthropic takes, in the call and in its result", () => {
    const { messages } = conversation(
      { role: "assistant", content: null, tool_calls: [call("call:1|fc", "now", "{}")] },
      { role: "tool", tool_call_id: "call:1|fc", content: "" },
    );
    expect(messages).toEqual([
      { role: "assistant", content: [{ type: "tool_use", id: "call_1_fc", name: "now", input: {} }] },
      { role: "user", content: [{ type: "tool_result", tool_use_id: "call_1_fc" }] },
    ]);
  });

  test("legacy function calls find their results", () => {
    const { messages } = conversation(
      { role: "assistant", content: null, function_call: { name: "now", arguments: "{}" } },
      { role: "function", name: "now", content: "noon" },
    );
    expect(messages).toEqual([
      { role: "assistant", content: [{ type: "tool_use", id: "function_call_0", name: "now", input: {} }] },
      { role: "user", content: [{ type: "tool_result", tool_use_id: "function_call_0", content: "noon" }] },
    ]);
  });

  test("what the model said of a call itself comes back with it", () => {
    const caller = { type: "code_execution_20260120", tool_id: "srvtoolu_1" };
    const { messages } = conversation({
      role: "assistant",
      content: null,
      tool_calls: [
        { ...call("t", "now", "{}"), extra_content: { caller, google: { thought_signature: "x" } } },
      ],
    });
    expect(messages).toEqual([
      { role: "assistant", content: [{ type: "tool_use", id: "t", name: "now", input: {}, caller }] },
    ]);
  });

  test.each([
    [
      { role: "assistant", tool_calls: [{ id: "t", type: "custom", custom: {} }] },
      "unsupported",
      "tool_calls[0]",
    ],
    [{ role: "assistant", audio: { id: "a" } }, "unsupported", "audio"],
    [{ role: "tool", content: "noon" }, "unsupported", "tool_call_id"],
    [{ role: "critic", content: "noon" }, "unsupported", "role"],
  ])("%j is refused as %s of %s", (message, code, where) => {
    expect(() => conversation(message)).toThrow(
      expect.objectContaining({ code, param: `messages[0].${where}` }),
    );
  });
});

describe("thoughts", () => {
  const details = [
    { type: "reasoning.text", text: "First.", signature: "sig-0", index: 0 },
    { type: "reasoning.encrypted", data: "secret", index: 1 },
    { type: "reasoning.text", text: "Then.", signature: "sig-3", index: 3 },
  ];
  const turn = {
    role: "assistant",
    content: "Let me see.",
    reasoning_content: "First.Then.",
    tool_calls: [call("toolu_1", "now", "{}")],
  };
  const woven = [
    { type: "thinking", thinking: "First.", signature: "sig-0" },
    { type: "redacted_thinking", data: "secret" },
    { type: "text", text: "Let me see." },
    { type: "thinking", thinking: "Then.", signature: "sig-3" },
    { type: "tool_use", id: "toolu_1", name: "now", input: {} },
  ];

  test("come back signed, between the same texts and calls as they stood", () => {
    const { messages, ignored } = conversation({ ...turn, reasoning_details: details });
    expect(messages).toEqual([{ role: "assistant", content: woven }]);
    expect(ignored).toEqual([]);
  });

  test("come back from the pieces of a stream, too", () => {
    const pieces = [
      { type: "reasoning.text", text: "Fir", index: 0 },
      { type: "reasoning.text", text: "st.", index: 0 },
      { type: "reasoning.text", signature: "sig-0", index: 0 },
      { type: "reasoning.encrypted", data: "secret", index: 1 },
      { type: "reasoning.text", text: "Then.", index: 3 },
      { type: "reasoning.text", signature: "sig-3", index: 3 },
    ];
    const { messages } = conversation({ ...turn, reasoning_details: pieces });
    expect(messages).toEqual([{ role: "assistant", content: woven }]);
  });

  test("a signature alone is that of a thought that wasn't told, unless a text shows that the client has lost it", () => {
    const signed = [{ type: "reasoning.text", signature: "sig", index: 0 }];
    const given = (fields: JsonObject) =>
      conversation({ role: "assistant", content: "Hi", reasoning_details: signed, ...fields });
    const hi = { type: "text", text: "Hi" };
    expect(given({}).messages).toEqual([
      { role: "assistant", content: [{ type: "thinking", thinking: "", signature: "sig" }, hi] },
    ]);
    // As the stream of the openai package leaves it: the last of all pieces.
    const lost = given({ reasoning_content: "." });
    expect(lost.messages).toEqual([{ role: "assistant", content: [hi] }]);
    expect(lost.ignored).toEqual(["messages[].reasoning_details"]);
  });

  test("stand before the call whatever became of the texts among them, for the call ends the turn", () => {
    const { messages } = conversation({
      ...turn,
      // Two of the answer's blocks, which came as one text.
      content: "one two",
      reasoning_details: [details[0] as JsonObject, { ...details[2], index: 3 }],
    });
    expect(messages).toMatchObject([
      {
        content: [
          { type: "thinking", thinking: "First." },
          { type: "text", text: "one two" },
          { type: "thinking", thinking: "Then." },
          { type: "tool_use" },
        ],
      },
    ]);
    const silent = conversation({
      ...turn,
      content: null,
      reasoning_details: [details[0] as JsonObject, details[2] as JsonObject],
    });
    expect(silent.messages).toMatchObject([
      { content: [{ type: "thinking" }, { type: "thinking" }, { type: "tool_use" }] },
    ]);
  });

  test("that nothing follows are left out, and named: the answer was cut off among them", () => {
    const cut = { role: "assistant", content: "", reasoning_details: details };
    const { messages, ignored } = conversation({ role: "user", content: "Hi" }, cut, {
      role: "user",
      content: "Go on",
    });
    expect(messages).toMatchObject([{ role: "user", content: [{ text: "Hi" }, { text: "Go on" }] }]);
    expect(ignored).toEqual(["messages[].reasoning_details"]);
  });

  test("what Anthropic didn't sign is left out, and named", () => {
    const { messages, ignored } = conversation(
      { role: "assistant", content: "A", reasoning_content: "Hm." },
      {
        role: "assistant",
        content: "B",
        reasoning_details: [
          { type: "reasoning.encrypted", data: "x", index: 0, format: "openai-responses-v1" },
        ],
      },
    );
    expect(messages).toEqual([
      {
        role: "assistant",
        content: [
          { type: "text", text: "A" },
          { type: "text", text: "B" },
        ],
      },
    ]);
    expect(ignored).toEqual(["messages[].reasoning_content", "messages[].reasoning_details"]);
  });

  test("server tools' blocks come back in their places", () => {
    const use = { type: "server_tool_use", id: "s1", name: "web_search", input: { query: "x" } };
    const result = { type: "web_search_tool_result", tool_use_id: "s1", content: [] };
    const { messages } = conversation({
      role: "assistant",
      content: "I'll search.It is sunny.",
      content_blocks: [
        { index: 1, ...use },
        { index: 2, ...result },
      ],
    });
    expect(messages).toEqual([
      { role: "assistant", content: [{ type: "text", text: "I'll search.It is sunny." }, use, result] },
    ]);
  });
});

test("an answer begun by the client is for another upstream where the model takes none", () => {
  const messages = [
    { role: "user", content: "Hi" },
    { role: "assistant", content: "Sure:" },
  ];
  expect(mapped({ messages }, "claude-sonnet-4-5").body["messages"]).toHaveLength(2);
  expect(() => mapped({ messages }, "claude-opus-4-6")).toThrow(
    expect.objectContaining({ code: "unsupported", param: "messages[1]" }),
  );
  // It goes on where it paused.
  const search = { type: "server_tool_use", id: "srvtoolu_1", name: "web_search", input: {}, index: 1 };
  const paused = [
    { role: "user", content: "Hi" },
    { role: "assistant", content: "Let me look.", content_blocks: [search] },
  ];
  expect(mapped({ messages: paused }, "claude-opus-4-6").body["messages"]).toHaveLength(2);
});
