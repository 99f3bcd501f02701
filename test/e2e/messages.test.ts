import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import Anthropic from "@anthropic-ai/sdk";
import type { ChatEvent } from "modelyard/plugin";
import { TEST_KEY } from "../support/gateway.ts";
import { checkStream } from "../support/message-frames.ts";
import type { ScriptedGateway, Step } from "../support/scripted-gateway.ts";
import { HELLO, say, spent, startScripted, stop } from "../support/scripted-gateway.ts";

/**
 * Anthropic's Messages API in front of an upstream that speaks another, as the official client and the bare stream see it.
 * @module
 */

const think = (text: string, more: object = {}): ChatEvent => ({ type: "reasoning", text, ...more });
const call = (index: number, more: object): ChatEvent => ({ type: "tool-call", index, ...more });
const finish = (
  reason: "stop" | "length" | "tool_calls" | "content_filter",
  more: object = {},
): ChatEvent => ({
  type: "finish",
  reason,
  ...more,
});
const USED = spent(7, 3);

/** Answers, and the blocks and the end that clients must see of them. */
const ANSWERS: Readonly<
  Record<string, { steps: readonly Step[]; blocks: readonly string[]; reason: string }>
> = {
  hello: { steps: HELLO, blocks: ["text Hello, world"], reason: "end_turn" },
  empty: { steps: [stop(), USED], blocks: [], reason: "end_turn" },
  thinking: {
    steps: [think("Hm"), think("m."), say("Yes."), stop(), USED],
    blocks: ["thinking Hmm.", "text Yes."],
    reason: "end_turn",
  },
  signed: {
    steps: [
      think("A", { block: 0 }),
      think("", { block: 0, signature: "sig" }),
      think("", { block: 1, redacted: "xyz" }),
      think("B", { block: 2 }),
      say("Yes."),
      stop(),
      USED,
    ],
    blocks: ["thinking A (sig)", "redacted_thinking xyz", "thinking B", "text Yes."],
    reason: "end_turn",
  },
  call: {
    steps: [
      call(0, { id: "call.1", name: "look", arguments: "" }),
      call(0, { arguments: '{"at"' }),
      call(0, { arguments: ":1}" }),
      finish("tool_calls"),
      USED,
    ],
    blocks: ['tool_use call_1 look {"at":1}'],
    reason: "tool_use",
  },
  "call in one piece, with words around": {
    steps: [
      say("See: "),
      call(0, { id: "a", name: "look", arguments: '{"text":"}{\\"\\\\"}' }),
      say("So."),
      stop(),
      USED,
    ],
    blocks: ["text See: ", 'tool_use a look {"text":"}{\\"\\\\"}', "text So."],
    reason: "tool_use",
  },
  "calls without arguments": {
    steps: [
      call(0, { id: "a", name: "now", arguments: "" }),
      call(1, { id: "b", name: "then" }),
      finish("tool_calls"),
      USED,
    ],
    blocks: ["tool_use a now {}", "tool_use b then {}"],
    reason: "tool_use",
  },
  "interleaved calls": {
    steps: [
      call(0, { id: "a", name: "one", arguments: '{"x":' }),
      call(1, { id: "b", name: "two", arguments: '{"y":' }),
      say("And:"),
      call(0, { arguments: "[1]" }),
      call(1, { arguments: "2}" }),
      call(0, { arguments: "}" }),
      finish("tool_calls"),
      USED,
    ],
    blocks: ['tool_use a one {"x":[1]}', 'tool_use b two {"y":2}', "text And:"],
    reason: "tool_use",
  },
  "a call cut by the length": {
    steps: [say("Now "), call(0, { id: "a", name: "one", arguments: '{"x":' }), finish("length"), USED],
    blocks: ["text Now ", 'tool_use a one {"x": (open)'],
    reason: "max_tokens",
  },
  length: {
    steps: [say("Once upon"), finish("length"), USED],
    blocks: ["text Once upon"],
    reason: "max_tokens",
  },
  filtered: { steps: [say("How"), finish("content_filter"), USED], blocks: ["text How"], reason: "refusal" },
  refusal: {
    steps: [{ type: "extra", at: "delta", fields: { refusal: "I won't." } }, stop(), USED],
    blocks: ["text I won't."],
    reason: "refusal",
  },
  "a stop sequence": {
    steps: [say("1, 2"), finish("stop", { stopSequence: "3" }), USED],
    blocks: ["text 1, 2"],
    reason: "stop_sequence",
  },
  "Anthropic's own word": {
    steps: [say("Wait"), finish("stop", { native: "pause_turn" }), USED],
    blocks: ["text Wait"],
    reason: "pause_turn",
  },
  "another's own word": {
    steps: [say("Wait"), finish("stop", { native: "STOP" }), USED],
    blocks: ["text Wait"],
    reason: "end_turn",
  },
  "odd characters": {
    steps: [say('a"\\\n\u2028 \u{1f600}\ud83d'), say("\ude00é"), stop(), USED],
    blocks: ['text a"\\\n\u2028 \u{1f600}\u{1f600}é'],
    reason: "end_turn",
  },
};

const FAILED: readonly Step[] = [
  say("half"),
  call(0, { id: "a", name: "one", arguments: '{"x":' }),
  { fail: "truncated", message: "the line was cut" },
];

/** Half a character, whose other half never comes. */
const HALF: readonly Step[] = [say("cut \ud83d"), say("é"), stop(), USED];

/** Arguments that are JSON, but no object. */
const NO_OBJECTS = ["null", "1", "true", '"text"', "[1]"];
const oddCall = (json: string) => `odd ${NO_OBJECTS.indexOf(json)}`;

let gateway: ScriptedGateway;
let client: Anthropic;

beforeAll(async () => {
  const scripts = Object.fromEntries(Object.entries(ANSWERS).map(([name, { steps }]) => [name, steps]));
  const mirror = [{ mirror: true }, stop(), USED] as const;
  gateway = await startScripted({
    ...scripts,
    ...Object.fromEntries(
      NO_OBJECTS.map((json) => [
        oddCall(json),
        [say("Now "), call(0, { id: "a", name: "one", arguments: json }), finish("tool_calls"), USED],
      ]),
    ),
    broken: FAILED,
    "broken first call": [
      call(0, { id: "a", name: "one", arguments: '{"x":}' }),
      call(1, { id: "b", name: "two", arguments: "{}" }),
      finish("tool_calls"),
      USED,
    ],
    half: HALF,
    mirror,
    headers: [{ headers: true }, stop(), USED],
  });
  client = new Anthropic({ baseURL: gateway.url, apiKey: TEST_KEY, maxRetries: 0 });
});

afterAll(() => gateway[Symbol.asyncDispose]());

type Body = Partial<Anthropic.MessageCreateParamsNonStreaming> & { model: string };

const question = ({ model, ...more }: Body) => ({
  max_tokens: 100,
  messages: [{ role: "user" as const, content: "Hi" }],
  ...more,
  model,
});

function post(body: object, headers: Record<string, string> = {}, path = "/v1/messages"): Promise<Response> {
  return fetch(gateway.url + path, {
    method: "POST",
    headers: { "x-api-key": TEST_KEY, "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
}

async function streamed(model: string) {
  return checkStream(await (await post({ ...question({ model }), stream: true })).text());
}

describe.each(Object.entries(ANSWERS))("%s", (model, { blocks, reason }) => {
  test("is streamed by the protocol's rules", async () => {
    const checked = await streamed(model);
    expect([checked.faults, checked.end, checked.stopReason]).toEqual([[], "stop", reason]);
    const shown = checked.blocks.map(({ type, start, text, signature, isClosed }) => {
      const named = type === "tool_use" ? `${start["id"] as string} ${start["name"] as string} ` : "";
      const marks = `${signature && ` (${signature})`}${isClosed ? "" : " (open)"}`;
      return `${type} ${named}${text || ((start["data"] as string | undefined) ?? "")}${marks}`;
    });
    expect(shown).toEqual([...blocks]);
    expect(checked.usage).toEqual({
      input_tokens: 7,
      cache_creation_input_tokens: 0,
      cache_read_input_tokens: 0,
      output_tokens: 3,
    });
  });

  test("reaches the official client alike, streamed and in one piece", async () => {
    const { id: _, usage: __, ...whole } = await client.messages.create(question({ model }));
    expect(whole).toMatchObject({ type: "message", role: "assistant", model, stop_reason: reason as never });
    const final = await client.messages.stream(question({ model })).finalMessage();
    const isCut = blocks.some((block) => block.endsWith("(open)"));
    const content = isCut ? final.content.slice(0, -1) : final.content;
    expect(content.map(withoutExtras)).toEqual(whole.content.map(withoutExtras));
    expect([final.stop_reason, final.stop_sequence]).toEqual([whole.stop_reason, whole.stop_sequence]);
  });
});

/** A block as both ways of asking give it. */
function withoutExtras(block: object): object {
  return JSON.parse(JSON.stringify(block)) as object;
}

test("an answer that breaks off ends with an error, and its call stays open", async () => {
  const { faults, end, blocks, frames } = await streamed("broken");
  expect([faults, end, blocks.map(({ type, isClosed }) => [type, isClosed])]).toEqual([
    [],
    "error",
    [
      ["text", true],
      ["tool_use", false],
    ],
  ]);
  expect(frames.at(-1)?.data).toEqual({
    type: "error",
    error: { type: "api_error", message: "the line was cut" },
  });
  const stream = client.messages.stream(question({ model: "broken" }));
  expect(await stream.finalMessage().catch((error: unknown) => error)).toBeInstanceOf(Anthropic.APIError);
});

test("an answer that breaks off before its end is an error where it is plain", async () => {
  const error = await client.messages
    .create(question({ model: "broken" }))
    .catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(Anthropic.InternalServerError);
  expect(error).toMatchObject({ status: 502, type: "api_error" });
});

test.each(NO_OBJECTS)(
  "a call with arguments %s fails, streamed and plain, and is never closed",
  async (json) => {
    const model = oddCall(json);
    const { faults, end, blocks, stopReason } = await streamed(model);
    expect([faults, end, blocks.map(({ isClosed }) => isClosed), stopReason]).toEqual([
      [],
      "error",
      [true, false],
      undefined,
    ]);
    const error = await client.messages.create(question({ model })).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ status: 502, message: expect.stringContaining("no JSON object") });
  },
);

test("a call whose arguments are no JSON is not closed for the call behind it", async () => {
  const model = "broken first call";
  const { faults, end, blocks } = await streamed(model);
  expect([faults, end, blocks.map(({ isClosed }) => isClosed)]).toEqual([[], "error", [false]]);
  const error = await client.messages.create(question({ model })).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ status: 502, message: expect.stringContaining("no JSON") });
});

test("half a character is left to the client in a stream, and replaced in a document", async () => {
  const { blocks, faults } = await streamed("half");
  expect([faults, blocks.map(({ text }) => text)]).toEqual([[], ["cut \ud83dé"]]);
  const { content } = await client.messages.create(question({ model: "half" }));
  expect(content).toMatchObject([{ text: "cut \ufffdé" }]);
});

test("a plain answer tells who answered, and its request's id as Anthropic does", async () => {
  const { data, response } = await client.messages.create(question({ model: "hello" })).withResponse();
  expect(data.usage).toEqual({
    input_tokens: 7,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: 0,
    output_tokens: 3,
  } as never);
  expect(response.headers.get("x-modelyard-upstream")).toBe("scripted");
  expect(response.headers.get("request-id")).toBe(response.headers.get("x-request-id"));
});

test("thoughts that the client doesn't want to read are not sent", async () => {
  const thinking = { type: "enabled", budget_tokens: 1024, display: "omitted" } as const;
  const asked = question({ model: "signed", thinking });
  const { content } = await client.messages.create(asked);
  const types = content.map((block) =>
    block.type === "thinking" ? [block.thinking, block.signature] : block.type,
  );
  expect(types).toEqual([["", "sig"], "redacted_thinking", "text"]);
  const { blocks, faults } = checkStream(await (await post({ ...asked, stream: true })).text());
  expect([faults, blocks.map(({ type, text }) => `${type} ${text}`)]).toEqual([
    [],
    ["thinking ", "redacted_thinking ", "text Yes."],
  ]);
});

test("upstreams are given the headers that say which API the client speaks", async () => {
  const headers = { "anthropic-version": "2023-06-01", "anthropic-beta": "a,b", "x-app": "cli" };
  const body = (await (await post(question({ model: "headers" }), headers)).json()) as Anthropic.Message;
  const [block] = body.content;
  expect(block?.type === "text" && JSON.parse(block.text)).toEqual({
    "anthropic-version": "2023-06-01",
    "anthropic-beta": "a,b",
  });
});

test("a loop with a tool goes on with what the tool gave", async () => {
  const asks: readonly Step[] = [
    think("I should look."),
    say("Let me see."),
    call(0, { id: "call:1", name: "look", arguments: '{"at":[1,2]}' }),
    finish("tool_calls"),
    USED,
  ];
  await using looping = await startScripted({ loop: [{ first: asks }, { mirror: true }, stop(), USED] });
  const own = new Anthropic({ baseURL: looping.url, apiKey: TEST_KEY, maxRetries: 0 });
  const tools = [{ name: "look", input_schema: { type: "object" as const } }];
  const messages: Anthropic.MessageParam[] = [{ role: "user", content: "Look" }];
  const first = await own.messages.stream({ model: "loop", max_tokens: 100, tools, messages }).finalMessage();
  const use = first.content.find((block) => block.type === "tool_use");
  expect([first.stop_reason, use?.input]).toEqual(["tool_use", { at: [1, 2] }]);
  messages.push({ role: "assistant", content: first.content });
  messages.push({
    role: "user",
    content: [{ type: "tool_result", tool_use_id: use?.id ?? "", content: "a cat" }],
  });
  const { content } = await own.messages.create({ model: "loop", max_tokens: 100, tools, messages });
  const asked = JSON.parse(content[0]?.type === "text" ? content[0].text : "") as { messages: object[] };
  expect(asked.messages).toEqual([
    { role: "user", content: "Look" },
    {
      role: "assistant",
      content: "Let me see.",
      tool_calls: [{ id: "call_1", type: "function", function: { name: "look", arguments: '{"at":[1,2]}' } }],
    },
    { role: "tool", tool_call_id: "call_1", content: "a cat" },
  ]);
});

test("leaving ends the upstream's work", async () => {
  const hanging = await startScripted({ slow: [say("a"), { hang: true }] });
  await using _ = hanging;
  const own = new Anthropic({ baseURL: hanging.url, apiKey: TEST_KEY, maxRetries: 0 });
  const stream = own.messages.stream(question({ model: "slow" }));
  for await (const event of stream) if (event.type === "content_block_delta") break;
  stream.abort();
  await hanging.quiet();
  expect(hanging.status()).toMatchObject({ begun: 1, running: 0 });
});

test("silence is filled with pings, before the answer and within it, and its end is told", async () => {
  const limits = { earlyHeaders: 5, heartbeat: 5 };
  const upstream = { timeouts: { first_event: "100ms", idle: "100ms" } };
  const answers = { silent: [{ hang: true }], stalled: [say("a"), { hang: true }] } as const;
  await using patient = await startScripted(answers, { limits, upstream });
  for (const model of ["silent", "stalled"]) {
    const streamed = await fetch(`${patient.url}/v1/messages`, {
      method: "POST",
      headers: { "x-api-key": TEST_KEY, "content-type": "application/json" },
      body: JSON.stringify({ ...question({ model }), stream: true }),
    });
    const { frames, faults, end } = checkStream(await streamed.text());
    expect([streamed.status, faults, end]).toEqual([200, [], "error"]);
    expect(frames.filter(({ event }) => event === "ping").length).toBeGreaterThan(1);
    expect(frames.at(-1)?.data).toMatchObject({ error: { type: "timeout_error" } });
  }
});

test("the same request is answered from the cache, in both ways", async () => {
  const cache = "cache: { mode: all, max_size: 1MiB }\n";
  await using cached = await startScripted({ hello: HELLO }, { yaml: cache });
  const own = new Anthropic({ baseURL: cached.url, apiKey: TEST_KEY, maxRetries: 0 });
  const states: (string | null)[] = [];
  for (let times = 0; times < 2; times++) {
    const { data, response } = await own.messages.create(question({ model: "hello" })).withResponse();
    expect(data.content).toMatchObject([{ type: "text", text: "Hello, world" }]);
    states.push(response.headers.get("x-modelyard-cache"));
    const final = await own.messages.stream(question({ model: "hello" })).finalMessage();
    expect(final.content).toMatchObject(data.content);
  }
  expect(states).toEqual(["miss", "hit"]);
  expect(cached.status().begun).toBeLessThan(4);
});
