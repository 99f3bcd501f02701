import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import OpenAI from "openai";
import type { ResponseCreateParamsNonStreaming } from "openai/resources/responses/responses";
import { REQUIRED, checkResponsesStream } from "../support/responses-stream.ts";
import type { CheckedStream } from "../support/responses-stream.ts";
import type { ScriptedGateway, Step } from "../support/scripted-gateway.ts";
import { HELLO, say, spent, startScripted, stop } from "../support/scripted-gateway.ts";

/**
 * OpenAI's Responses in front of an upstream that holds conversations, at the gateway's door.
 * @module
 */

const call = (index: number, name: string, args: string): Step[] => [
  { type: "tool-call", index, id: `call_${index}`, name },
  { type: "tool-call", index, arguments: args.slice(0, 3) },
  { type: "tool-call", index, arguments: args.slice(3) },
];
const ended = (reason: "stop" | "length" | "tool_calls" | "content_filter"): Step => ({
  type: "finish",
  reason,
});
const thinking = (text: string): Step => ({ type: "reasoning", text });
const SIGNED: Step[] = [
  { type: "reasoning", text: "Let me ", block: 0 },
  { type: "reasoning", text: "see.", block: 0 },
  { type: "reasoning", text: "", block: 0, signature: "signed" },
];

const ANSWERS: Readonly<Record<string, readonly Step[]>> = {
  hello: HELLO,
  empty: [stop(), spent(3, 0)],
  thought: [thinking("Let me "), thinking("see."), say("So."), stop(), spent(3, 4)],
  signed: [...SIGNED, say("So."), stop(), spent(3, 4)],
  tools: [
    say("Both."),
    ...call(0, "f", '{"a":1}'),
    ...call(1, "g", '{"b":2}'),
    ended("tool_calls"),
    spent(3, 9),
  ],
  woven: [
    { type: "tool-call", index: 0, id: "one", name: "f", arguments: "{" },
    { type: "tool-call", index: 1, id: "two", name: "g", arguments: "[" },
    { type: "tool-call", index: 0, arguments: "}" },
    { type: "tool-call", index: 1, arguments: "]" },
    ended("tool_calls"),
    spent(3, 9),
  ],
  bare: [{ type: "tool-call", index: 0, id: "c", name: "f" }, ended("tool_calls"), spent(3, 9)],
  after: [...call(0, "f", '{"a":1}'), say("Behind."), ended("tool_calls"), spent(3, 9)],
  cut: [say("Half of"), ended("length"), spent(3, 2)],
  cutcall: [say("So:"), ...call(0, "f", '{"a":1}'), ...call(1, "f", '{"a":'), ended("length"), spent(3, 2)],
  filtered: [say("I"), ended("content_filter"), spent(3, 1)],
  refusal: [
    { type: "extra", at: "delta", fields: { refusal: "I can" } },
    { type: "extra", at: "delta", fields: { refusal: "not." } },
    stop(),
    spent(3, 2),
  ],
  cited: [
    say("See it."),
    {
      type: "extra",
      at: "delta",
      fields: {
        annotations: [{ type: "url_citation", url_citation: { url: "https://a.example", title: "A" } }],
      },
    },
    { type: "extra", at: "choice", fields: { logprobs: { content: [{ token: "See", logprob: -1 }] } } },
    stop(),
    spent(3, 2),
  ],
  picture: [
    say("Here:"),
    {
      type: "extra",
      at: "delta",
      fields: { images: [{ image_url: { url: "data:image/png;base64,aGk=" } }] },
    },
    stop(),
    spent(3, 2),
  ],
  patch: [
    ...call(0, "apply_patch", '{"input":"*** Begin\\n+\\u00e9\\"\\\\"}'),
    ended("tool_calls"),
    spent(3, 9),
  ],
  spaced: [...call(0, "mcp__files__read", '{"path":"/a"}'), ended("tool_calls"), spent(3, 9)],
  lines: [say("a\u2028b\u0085c"), stop(), spent(3, 2)],
  named: [
    { type: "extra", at: "chunk", fields: { id: "x", model: "real-1", service_tier: "flex" } },
    ...HELLO,
  ],
  broken: [thinking("Hm."), say("half"), { fail: "truncated", message: "the upstream broke off" }],
  brokencall: [...call(0, "f", '{"a":'), { fail: "truncated", message: "the upstream broke off" }],
  failing: [{ fail: "failed", message: "it failed" }],
  limited: [{ fail: "rate-limited", message: "slow down" }],
  toolong: [{ fail: "context-length", message: "too long" }],
  mirror: [{ mirror: true }, stop(), spent(3, 2)],
};

let gateway: ScriptedGateway;
let client: OpenAI;

beforeAll(async () => {
  const upstream = { options: { answers: ANSWERS, extensions: ["reasoning_details", "reasoning_content"] } };
  gateway = await startScripted(ANSWERS, { upstream });
  client = new OpenAI({ baseURL: gateway.baseURL, apiKey: gateway.key, maxRetries: 0 });
});
afterAll(() => gateway[Symbol.asyncDispose]());

function post(body: object, init: RequestInit = {}): Promise<Response> {
  const headers = { authorization: `Bearer ${gateway.key}`, "content-type": "application/json" };
  return fetch(`${gateway.baseURL}/responses`, {
    method: "POST",
    headers,
    body: JSON.stringify(body),
    ...init,
  });
}

async function streamed(body: object): Promise<CheckedStream> {
  const response = await post({ input: "Hi", stream: true, ...body });
  expect(response.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
  return checkResponsesStream(await response.text());
}

/** What the upstream is asked. */
async function asked(
  body: object,
): Promise<Record<string, unknown> & { messages: Record<string, unknown>[] }> {
  const response = await post({ input: "Hi", ...body, model: "mirror" });
  const { output } = (await response.json()) as OpenAI.Responses.Response;
  const [message] = output as [OpenAI.Responses.ResponseOutputMessage];
  const [part] = message.content as [OpenAI.Responses.ResponseOutputText];
  return JSON.parse(part.text) as Awaited<ReturnType<typeof asked>>;
}

async function ignored(body: object): Promise<string | null> {
  return (await post({ input: "Hi", model: "hello", ...body })).headers.get("x-modelyard-ignored");
}

const shapeOf = (items: readonly object[]) =>
  items.map((item) => {
    const { type, status } = item as { type: string; status?: string };
    return status === undefined ? type : `${type} ${status}`;
  });

describe("every answer, as a stream and plain, has the order, ids and parts that clients rely on", () => {
  test.each(Object.entries(ANSWERS).filter(([, steps]) => !steps.some((step) => "fail" in step)))(
    "%s",
    async (model) => {
      const { response } = await streamed({ model });
      const plain = (await (await post({ model, input: "Hi" })).json()) as typeof response;
      for (const name of REQUIRED) expect(plain).toHaveProperty(name);
      const bare = (answer: typeof response) =>
        JSON.parse(
          JSON.stringify({ ...answer, created_at: 0, completed_at: 0 })
            .replaceAll(/_[0-9a-f]{48}/g, "_")
            .replaceAll(/\\"stream\\":true,?/g, ""),
        ) as object;
      if (model !== "mirror") expect(bare(plain)).toEqual(bare(response));
    },
  );

  test.each(["broken", "brokencall"])(
    "%s, which ends with an error and then response.failed",
    async (model) => {
      const { events, response } = await streamed({ model });
      expect(response.error).toEqual({ code: "server_error", message: "the upstream broke off" });
      expect(events.at(-2)).toMatchObject({ type: "error", error: { message: "the upstream broke off" } });
      expect(events.some(({ type }) => type.endsWith("arguments.done"))).toBe(false);
      // Of what was said only that is told whose end was.
      expect(shapeOf(response.output)).toEqual(model === "broken" ? ["reasoning"] : []);
    },
  );

  test.each([
    ["hello", ["message completed"], "completed"],
    ["empty", [], "completed"],
    ["thought", ["reasoning", "message completed"], "completed"],
    ["tools", ["message completed", "function_call completed", "function_call completed"], "completed"],
    ["woven", ["function_call completed", "function_call completed"], "completed"],
    ["after", ["function_call completed", "message completed"], "completed"],
    ["cut", ["message incomplete"], "incomplete"],
    ["cutcall", ["message completed", "function_call completed", "function_call incomplete"], "incomplete"],
    ["filtered", ["message incomplete"], "incomplete"],
    ["refusal", ["message completed"], "completed"],
    ["picture", ["message completed", "image_generation_call completed"], "completed"],
  ] as const)("%s becomes %j", async (model, items, status) => {
    const { response } = await streamed({ model });
    expect([shapeOf(response.output), response.status]).toEqual([[...items], status]);
  });

  test("an end by length within a call doesn't close that call", async () => {
    const { events, response } = await streamed({ model: "cutcall" });
    const done = events.filter(({ type }) => type === "response.output_item.done");
    expect(shapeOf(done.map((event) => (event as { item: object }).item))).toEqual([
      "message completed",
      "function_call completed",
    ]);
    expect(response.incomplete_details).toEqual({ reason: "max_output_tokens" });
  });

  test("the names of model and tier are the upstream's", async () => {
    expect((await streamed({ model: "named" })).response).toMatchObject({
      model: "real-1",
      service_tier: "flex",
    });
  });

  test("usage has all its parts", async () => {
    expect((await streamed({ model: "hello" })).response.usage).toMatchObject({
      input_tokens: 7,
      input_tokens_details: { cached_tokens: 0 },
      output_tokens: 3,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: 10,
    });
  });

  test("no line end stands in a frame that event streams don't know", async () => {
    expect((await streamed({ model: "lines" })).text).not.toMatch(/[\u0085\u2028\u2029]/);
  });

  test("citations and, where they are asked for, log probabilities stand with their text", async () => {
    const [message] = (await streamed({ model: "cited" })).response.output;
    expect(message).toMatchObject({
      content: [
        {
          annotations: [{ type: "url_citation", url: "https://a.example", title: "A" }],
          logprobs: [{ token: "See", logprob: -1 }],
        },
      ],
    });
  });

  test("what is asked comes back in the object", async () => {
    const tools = [{ type: "function", name: "f", parameters: { type: "object" } }];
    const { response } = await streamed({
      model: "hello",
      instructions: "Be brief.",
      metadata: { a: "b" },
      temperature: 0.5,
      store: false,
      tools,
    });
    expect(response).toMatchObject({
      instructions: "Be brief.",
      metadata: { a: "b" },
      temperature: 0.5,
      store: false,
      tools: [{ ...tools[0], strict: null, description: null }],
    });
  });
});

describe("reasoning is told", () => {
  test("as it is, or as the summary that the client asked for", async () => {
    const [raw] = (await streamed({ model: "thought" })).response.output;
    expect(raw).toMatchObject({ summary: [], content: [{ type: "reasoning_text", text: "Let me see." }] });
    const summed = await streamed({ model: "thought", reasoning: { summary: "auto" } });
    expect(summed.response.output[0]).toMatchObject({
      summary: [{ type: "summary_text", text: "Let me see." }],
    });
  });

  test("with its signature only where that is asked for, and given back it is whole again", async () => {
    expect((await streamed({ model: "signed" })).text).not.toContain("encrypted_content");
    const { response } = await streamed({
      model: "signed",
      store: false,
      include: ["reasoning.encrypted_content"],
    });
    const { messages } = await asked({ input: [...response.output, { role: "user", content: "Go on" }] });
    expect(messages).toEqual([
      {
        role: "assistant",
        content: "So.",
        reasoning_details: [{ type: "reasoning.text", text: "Let me see.", signature: "signed", index: 0 }],
      },
      { role: "user", content: "Go on" },
    ]);
  });

  test("and what another server has encrypted is left out and named", async () => {
    const input = [
      { type: "reasoning", id: "rs_1", summary: [], encrypted_content: "gAAAA" },
      { type: "message", role: "assistant", content: [{ type: "output_text", text: "So." }] },
      { role: "user", content: "Go on" },
    ];
    expect(await ignored({ input })).toBe("input[].reasoning.encrypted_content");
    expect((await asked({ input })).messages[0]).toEqual({ role: "assistant", content: "So." });
  });
});

describe("the upstream is asked in a conversation:", () => {
  test("text, instructions, and the members that chat completions name otherwise", async () => {
    expect(
      await asked({
        instructions: "Be brief.",
        max_output_tokens: 50,
        temperature: 0,
        reasoning: { effort: "low", summary: "auto" },
        text: { format: { type: "json_schema", name: "n", schema: {}, strict: true }, verbosity: "low" },
        include: ["message.output_text.logprobs"],
        top_logprobs: 2,
        user: "u",
        metadata: { a: "b" },
        client_metadata: { a: "b" },
        top_k: 4,
      }),
    ).toEqual({
      model: "mirror",
      messages: [
        { role: "system", content: "Be brief." },
        { role: "user", content: "Hi" },
      ],
      max_tokens: 50,
      temperature: 0,
      reasoning_effort: "low",
      response_format: { type: "json_schema", json_schema: { name: "n", schema: {}, strict: true } },
      verbosity: "low",
      logprobs: true,
      top_logprobs: 2,
      user: "u",
      top_k: 4,
    });
  });

  test("items of one turn are one message", async () => {
    const { messages } = await asked({
      input: [
        { role: "developer", content: "Rules" },
        {
          role: "user",
          content: [
            { type: "input_text", text: "Look" },
            { type: "input_image", image_url: "data:image/png;base64,aGk=", detail: "low" },
            { type: "input_file", filename: "a.pdf", file_data: "data:application/pdf;base64,aGk=" },
          ],
        },
        { type: "reasoning", summary: [{ type: "summary_text", text: "Hm" }] },
        { type: "message", role: "assistant", content: [{ type: "output_text", text: "I call." }] },
        { type: "function_call", call_id: "a", name: "f", arguments: "{}" },
        { type: "function_call", call_id: "b", name: "g", arguments: "{}", namespace: "mcp__x" },
        { type: "function_call_output", call_id: "a", output: "1" },
        { type: "function_call_output", call_id: "b", output: [{ type: "input_text", text: "2" }] },
        { type: "custom_tool_call", call_id: "c", name: "patch", input: "a\nb" },
        { type: "custom_tool_call_output", call_id: "c", output: "done" },
      ],
    });
    expect(messages).toEqual([
      { role: "developer", content: "Rules" },
      {
        role: "user",
        content: [
          { type: "text", text: "Look" },
          { type: "image_url", image_url: { url: "data:image/png;base64,aGk=", detail: "low" } },
          { type: "file", file: { filename: "a.pdf", file_data: "data:application/pdf;base64,aGk=" } },
        ],
      },
      {
        role: "assistant",
        content: "I call.",
        reasoning_content: "Hm",
        tool_calls: [
          { id: "a", type: "function", function: { name: "f", arguments: "{}" } },
          { id: "b", type: "function", function: { name: "mcp__x__g", arguments: "{}" } },
        ],
      },
      { role: "tool", tool_call_id: "a", content: "1" },
      { role: "tool", tool_call_id: "b", content: "2" },
      {
        role: "assistant",
        content: null,
        tool_calls: [
          { id: "c", type: "function", function: { name: "patch", arguments: '{"input":"a\\nb"}' } },
        ],
      },
      { role: "tool", tool_call_id: "c", content: "done" },
    ]);
  });

  test("custom tools and namespaces as functions", async () => {
    const { tools, tool_choice: choice } = await asked({
      tools: [
        { type: "function", name: "f", description: "F", parameters: { type: "object" }, strict: false },
        {
          type: "custom",
          name: "apply_patch",
          description: "Patches",
          format: { type: "grammar", syntax: "lark", definition: "start: x" },
        },
        { type: "namespace", name: "mcp__files", tools: [{ type: "function", name: "read" }] },
        { type: "web_search" },
      ],
      tool_choice: { type: "custom", name: "apply_patch" },
    });
    expect(tools).toMatchObject([
      { type: "function", function: { name: "f", description: "F", strict: false } },
      {
        type: "function",
        function: {
          name: "apply_patch",
          description: "Patches\n\n`input` must match this lark grammar:\nstart: x",
          parameters: { required: ["input"] },
        },
      },
      { type: "function", function: { name: "mcp__files__read" } },
    ]);
    expect(choice).toEqual({ type: "function", function: { name: "apply_patch" } });
  });

  test("of allowed tools the others are left out", async () => {
    const tool = (name: string) => ({ type: "function", name });
    const { tools, tool_choice: choice } = await asked({
      tools: [tool("f"), tool("g")],
      tool_choice: { type: "allowed_tools", mode: "required", tools: [tool("g")] },
    });
    expect([tools, choice]).toEqual([[{ type: "function", function: { name: "g" } }], "required"]);
  });

  test.each([
    ["no tools", {}],
    ["an empty list", { tools: [] }],
    ["hosted tools only", { tools: [{ type: "web_search" }] }],
  ])("without a choice of tools where there are %s", async (_, tools) => {
    const sent = await asked({ ...tools, tool_choice: "auto", parallel_tool_calls: true });
    expect(Object.keys(sent).sort()).toEqual(["messages", "model"]);
  });
});

describe("calls come back as calls of the client's own tools:", () => {
  test("of a custom tool, with its text as it is", async () => {
    const tools = [{ type: "custom", name: "apply_patch" }];
    const { response, events } = await streamed({ model: "patch", tools });
    expect(response.output).toMatchObject([
      { type: "custom_tool_call", call_id: "call_0", name: "apply_patch", input: '*** Begin\n+é"\\' },
    ]);
    expect(events.filter(({ type }) => type === "response.custom_tool_call_input.delta").length).toBe(1);
  });

  test("of a namespace, with its name and the namespace's", async () => {
    const tools = [{ type: "namespace", name: "mcp__files", tools: [{ type: "function", name: "read" }] }];
    const { response } = await streamed({ model: "spaced", tools });
    expect(response.output).toMatchObject([{ type: "function_call", name: "read", namespace: "mcp__files" }]);
  });
});

describe("what a conversation can't express is named:", () => {
  test.each([
    [
      "hosted tools",
      { tools: [{ type: "web_search" }, { type: "function", name: "f" }] },
      "tools[].web_search",
    ],
    [
      "items of hosted tools",
      {
        input: [
          { type: "web_search_call", id: "w" },
          { role: "user", content: "Hi" },
        ],
      },
      "input[].web_search_call",
    ],
    ["truncation", { truncation: "auto" }, "truncation"],
    ["other includes", { include: ["web_search_call.results"] }, "include"],
    [
      "a grammar",
      {
        tools: [{ type: "custom", name: "c", format: { type: "grammar", syntax: "regex", definition: "a" } }],
      },
      "tools[].custom.format",
    ],
  ])("%s", async (_, body, name) => {
    expect(await ignored(body)).toBe(name);
  });

  test("and nothing is where nothing is lost", async () => {
    expect(await ignored({ truncation: "disabled", include: [], tools: [], metadata: {} })).toBeNull();
  });
});

describe("a refusal says what is wrong:", () => {
  test.each([
    ["no input", { input: undefined }, 400, "missing_required_parameter", "input"],
    ["chat's messages", { input: undefined, messages: [] }, 400, "missing_required_parameter", "input"],
    [
      "a call without an id",
      { input: [{ type: "function_call", name: "f" }] },
      400,
      "invalid_value",
      "input[0].call_id",
    ],
    [
      "a part without a type",
      { input: [{ role: "user", content: [{}] }] },
      400,
      "invalid_value",
      "input[0].content[0].type",
    ],
    [
      "a file of another server",
      { input: [{ role: "user", content: [{ type: "input_image", file_id: "f" }] }] },
      400,
      "unsupported_parameter",
      "input[0].content[0].file_id",
    ],
    [
      "a file by its address",
      { input: [{ role: "user", content: [{ type: "input_file", file_url: "https://a.example/a.pdf" }] }] },
      400,
      "unsupported_parameter",
      "input[0].content[0].file_url",
    ],
    [
      "a role that is none",
      { input: [{ role: "frob", content: "Hi" }] },
      400,
      "invalid_value",
      "input[0].role",
    ],
    ["a bound that is none", { max_output_tokens: "many" }, 400, "invalid_value", "max_output_tokens"],
    ["a background job", { background: true }, 400, "unsupported_parameter", "background"],
    ["a stored prompt", { prompt: { id: "p" } }, 400, "unsupported_parameter", "prompt"],
    [
      "a conversation of another server",
      { conversation: "conv_1" },
      400,
      "unsupported_parameter",
      "conversation",
    ],
    [
      "a demanded hosted tool",
      { tools: [{ type: "web_search" }], tool_choice: { type: "web_search" } },
      400,
      "unsupported_parameter",
      "tool_choice",
    ],
    [
      "any of tools that are all hosted",
      { tools: [{ type: "web_search" }], tool_choice: "required" },
      400,
      "unsupported_parameter",
      "tool_choice",
    ],
    [
      "one of allowed tools that are all hosted",
      {
        tools: [{ type: "function", name: "f" }],
        tool_choice: { type: "allowed_tools", mode: "required", tools: [{ type: "web_search" }] },
      },
      400,
      "unsupported_parameter",
      "tool_choice",
    ],
    [
      "a tool in the form of chat completions",
      { tools: [{ type: "function", function: { name: "f" } }] },
      400,
      "invalid_value",
      "tools[0].name",
    ],
    [
      "two tools of one name",
      {
        tools: [
          { type: "function", name: "f" },
          { type: "custom", name: "f" },
        ],
      },
      400,
      "invalid_value",
      "tools[1].name",
    ],
    [
      "an image without an address",
      { input: [{ role: "user", content: [{ type: "input_image", image_url: { url: "x" } }] }] },
      400,
      "invalid_value",
      "input[0].content[0].image_url",
    ],
    [
      "a compacted history",
      { input: [{ type: "compaction", encrypted_content: "x" }] },
      400,
      "unsupported_parameter",
      "input[0]",
    ],
    ["a model that isn't there", { model: "nobody" }, 404, "model_not_found", null],
    ["a conversation too long", { model: "toolong" }, 400, "context_length_exceeded", null],
  ])("%s", async (_, body, status, code, param) => {
    const response = await post({ model: "hello", input: "Hi", ...body });
    const { error } = (await response.json()) as { error: object };
    expect([response.status, error]).toMatchObject([status, { code, ...(param !== null && { param }) }]);
  });

  test("a 429 says when to come back", async () => {
    const response = await post({ model: "limited", input: "Hi" });
    expect(response.status).toBe(429);
    expect(Number(response.headers.get("retry-after"))).toBeGreaterThan(0);
  });
});

describe("the openai package", () => {
  test("reads a plain answer", async () => {
    const response = await client.responses.create({ model: "hello", input: "Hi" });
    expect(response.output_text).toBe("Hello, world");
  });

  test.each(Object.keys(ANSWERS).filter((model) => !/broken|fail|limited|toolong/.test(model)))(
    "puts the stream of %s together as the plain answer is",
    async (model) => {
      const tools: ResponseCreateParamsNonStreaming["tools"] = [{ type: "custom", name: "apply_patch" }];
      const stream = client.responses.stream({ model, input: "Hi", tools });
      const final = await stream.finalResponse();
      const { output } = await client.responses.create({ model, input: "Hi", tools });
      if (model !== "mirror") expect(shapeOf(final.output)).toEqual(shapeOf(output));
    },
  );

  test.each(["broken", "brokencall"])("throws where the stream of %s breaks off", async (model) => {
    const reading = async () => {
      for await (const _ of await client.responses.create({ model, input: "Hi", stream: true }));
    };
    expect(await reading().catch((error: unknown) => error)).toBeInstanceOf(OpenAI.APIError);
    const helper = client.responses.stream({ model, input: "Hi" });
    expect(await helper.finalResponse().catch((error: unknown) => error)).toBeInstanceOf(OpenAI.APIError);
  });

  test("throws what the gateway refuses", async () => {
    const error: unknown = await client.responses
      .create({ model: "failing", input: "Hi" })
      .catch((e: unknown) => e);
    expect(error).toMatchObject({ status: 502, code: "upstream_error" });
  });

  test("ends the upstream's work when it leaves", async () => {
    const stream = await client.responses.create({ model: "hello", input: "Hi", stream: true });
    stream.controller.abort();
    await gateway.quiet();
    expect(gateway.status().running).toBe(0);
  });
});
