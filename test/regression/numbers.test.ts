import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { CHAT_FIELDS } from "../../toolkit/conformance/parameters/chat-fields.ts";
import type { FaultUpstream } from "../support/fault-upstream.ts";
import { startFaultUpstream } from "../support/fault-upstream.ts";
import type { RunningGateway } from "../support/gateway.ts";
import { startGateway } from "../support/gateway.ts";

/**
 * Numbers travel as they were written, in requests and in answers, whatever plugin carries them.
 * @module
 */
let fault: FaultUpstream;
let gateway: RunningGateway;

beforeAll(async () => {
  fault = await startFaultUpstream();
  gateway = await startGateway(`
upstreams:
  an: { plugin: anthropic, options: { api_key: key-1, base_url: "${fault.url}", models: [claude-sonnet-4-5] } }
  ge: { plugin: gemini, options: { api_key: key-2, base_url: "${fault.url}/v1beta", models: [gemini-2.5-pro] } }
  oa: { plugin: openai, options: { base_url: "${fault.url}/v1", models: [m] } }
retry: { attempts: 1 }
health: { failures: 100000 }
`);
});
afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await fault[Symbol.asyncDispose]();
});

const ID = "2512292042121000001";
const LONGEST = "9223372036854775807";

/** An answer that each of the plugins takes for one of its own. */
const PLAIN = JSON.stringify({
  type: "message",
  content: [{ type: "text", text: "a" }],
  stop_reason: "end_turn",
  candidates: [{ content: { role: "model", parts: [{ text: "a" }] }, finishReason: "STOP" }],
  choices: [{ index: 0, message: { role: "assistant", content: "a" }, finish_reason: "stop" }],
});

let says: { readonly plain: string; readonly events: readonly string[] };
beforeEach(() => {
  says = { plain: PLAIN, events: [] };
  fault.respond = (exchange) => {
    const asksForStream =
      exchange.path.includes("streamGenerateContent") || (exchange.json() as { stream?: boolean }).stream;
    const [type, body] = asksForStream
      ? ["text/event-stream", says.events.map((event) => `data: ${event}\n\n`).join("")]
      : ["application/json", says.plain];
    exchange.head(200, { "content-type": type });
    exchange.chunk(body);
    exchange.end();
  };
});

async function ask(body: string, endpoint = "chat/completions", more: object = {}): Promise<Response> {
  const headers = { authorization: `Bearer ${gateway.key}`, "content-type": "application/json", ...more };
  return fetch(`${gateway.baseURL}/${endpoint}`, { method: "POST", headers, body });
}

/** The text of the body that the upstream is sent for one of the client's. */
async function sent(body: string, endpoint?: string): Promise<string> {
  const before = fault.requests.length;
  await (await ask(body, endpoint, { "cache-control": "no-store" })).text();
  expect(fault.requests.length).toBe(before + 1);
  return new TextDecoder().decode(fault.requests.at(-1)?.body);
}

const MESSAGES = '"messages":[{"role":"user","content":"q"}]';

/** A conversation in which a tool was called with these arguments. */
function called(json: string): string {
  const text = JSON.stringify(json);
  return `"messages":[{"role":"user","content":"q"},{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"row","arguments":${text}}}]},{"role":"tool","tool_call_id":"c1","content":"{\\"c\\":1e400}"}]`;
}

const TRANSLATED = [
  ["an", "an/claude-sonnet-4-5"],
  ["ge", "ge/gemini-2.5-pro"],
] as const;

describe.each(TRANSLATED)("to %s", (upstream, model) => {
  test.each([`{"id":${ID}}`, '{"a":[1e400,-1E+400,{"b":1.0}]}', '{"n":0.10,"m":-0.0,"x":1e-400}'])(
    "a call's arguments %s go up with the same digits",
    async (json) => {
      for (const stream of [true, false]) {
        const up = await sent(`{"model":"${model}","stream":${stream},${called(json)}}`);
        expect(up).toContain(`"${upstream === "an" ? "input" : "args"}":${json}`);
      }
    },
  );

  test("so do a tool's schema and the format of the answer", async () => {
    const schema = `{"type":"object","properties":{"id":{"type":"integer","maximum":${LONGEST}}}}`;
    const tools = `[{"type":"function","function":{"name":"row","parameters":${schema}}}]`;
    const format = `{"type":"json_schema","json_schema":{"name":"f","schema":${schema}}}`;
    for (const asked of [`"tools":${tools}`, `"response_format":${format}`]) {
      const up = await sent(`{"model":"${model}",${MESSAGES},${asked}}`);
      expect(up.split(LONGEST)).toHaveLength(2);
    }
  });
});

test.each(TRANSLATED)("to %s every keyword of a schema has its digits, or is named", async (_, model) => {
  for (const keyword of [
    "enum",
    "const",
    "default",
    "examples",
    "minimum",
    "exclusiveMaximum",
    "multipleOf",
  ]) {
    const value = ["enum", "examples"].includes(keyword) ? `[1,${LONGEST}]` : LONGEST;
    const schema = `{"type":"object","properties":{"id":{"type":"integer","${keyword}":${value}}}}`;
    for (const asked of [
      `"tools":[{"type":"function","function":{"name":"row","parameters":${schema}}}]`,
      `"response_format":{"type":"json_schema","json_schema":{"name":"f","schema":${schema}}}`,
    ]) {
      const answer = await ask(`{"model":"${model}",${MESSAGES},${asked}}`);
      const up = new TextDecoder().decode(fault.requests.at(-1)?.body);
      const ignored = answer.headers.get("x-modelyard-ignored") ?? "";
      expect([keyword, up.includes(LONGEST) || ignored.includes(keyword)]).toEqual([keyword, true]);
      expect(up).not.toMatch(/9223372036854776000|"(?:enum|const|default|minimum)":\{/);
    }
  }
});

test("Anthropic's own members and Gemini's seed keep their digits", async () => {
  const own = `"context_management":{"edits":[{"type":"x","keep":${ID}}]}`;
  expect(await sent(`{"model":"an/claude-sonnet-4-5",${MESSAGES},${own}}`)).toContain(own);
  expect(await sent(`{"model":"ge/gemini-2.5-pro",${MESSAGES},"seed":${LONGEST}}`)).toContain(
    `"seed":${LONGEST}`,
  );
});

test("a result with a number beyond doubles is no null for Gemini", async () => {
  expect(await sent(`{"model":"ge/gemini-2.5-pro",${called("{}")}}`)).toContain('"response":{"c":1e400}');
});

test("wherever such a number stands, a request is answered or refused in words, and no number becomes an object", async () => {
  const fields = [...Object.keys(CHAT_FIELDS), "user", "stream", "x_unknown", "thinking", "top_k", "input"];
  const members = ["name", "tool_calls", "content", "refusal", "audio", "extra_content", "reasoning_details"];
  const parts = ["text", "image_url", "input_audio", "file", "cache_control", "x"];
  for (const number of [ID, "1e400"]) {
    const bodies = [
      ...fields.map((field) => `${MESSAGES},"${field}":${number}`),
      ...fields.map((field) => `${MESSAGES},"${field}":[${number}]`),
      ...fields.map((field) => `${MESSAGES},"${field}":{"type":${number},"x":${number}}`),
      ...members.map((member) => `"messages":[{"role":"assistant","content":"q","${member}":${number}}]`),
      ...parts.map(
        (part) => `"messages":[{"role":"user","content":[{"type":"${part}","${part}":${number}}]}]`,
      ),
    ];
    for (const model of ["an/claude-sonnet-4-5", "ge/gemini-2.5-pro", "oa/m"]) {
      for (const body of bodies) {
        const before = fault.requests.length;
        const answer = await ask(`{"model":"${model}",${body}}`);
        const text = await answer.text();
        expect([body, [200, 400].includes(answer.status), text]).toEqual([body, true, text]);
        for (const up of fault.requests.slice(before))
          expect(new TextDecoder().decode(up.body)).not.toMatch(/rawJSON|\{\}/);
      }
    }
  }
});

describe("to a server of OpenAI's API", () => {
  const odd = `"seed":${LONGEST}, "metadata":{"model":"mine", "x" : 1.0},"é":"\\u0041","user":"\\ud83d",\n "big":1e400`;

  test("a plain request goes up as it was written, but for the model", async () => {
    expect(await sent(`{ "model" : "oa/m",${MESSAGES},${odd} }`)).toBe(
      `{ "model" : "m",${MESSAGES},${odd} }`,
    );
  });

  test.each([
    ["without options", "", ',"stream_options":{"include_usage":true}'],
    ["with the option", ',"stream_options":{"include_usage" : true}', ""],
  ])("so does a streamed one %s", async (_, given, added) => {
    const body = (model: string) => `{"stream":true,"model":"${model}",${MESSAGES},${odd}${given}`;
    expect(await sent(`${body("oa/m")}}`)).toBe(`${body("m")}${added}}`);
  });

  test("with other options for the stream only those are written anew", async () => {
    const body = (model: string, options: string) =>
      `{"stream":true,"stream_options":${options},"model":"${model}",${MESSAGES},${odd}}`;
    expect(await sent(body("oa/m", `{"x":${ID},"include_usage":false}`))).toBe(
      body("m", `{"x":${ID},"include_usage":true}`),
    );
  });

  test("and so do the other endpoints' requests", async () => {
    const prompt = (model: string) => `{"prompt":["q"],"model":"${model}",${odd}}`;
    expect(await sent(prompt("oa/m"), "completions")).toBe(prompt("m"));
    const input = (model: string) => `{"input" : "q","model":"${model}",${odd}}`;
    expect(await sent(input("oa/m"), "embeddings")).toBe(input("m"));
  });

  test("of a member that stands twice at the top only the last goes up", async () => {
    const body = `{"max_tokens":100000,"model":"nobody",${MESSAGES},"model":"oa/m","max_tok\\u0065ns":1,"seed":${LONGEST}}`;
    expect(await sent(body)).toBe(`{${MESSAGES},"model":"m","max_tok\\u0065ns":1,"seed":${LONGEST}}`);
  });
});

describe("an answer", () => {
  const args = `{"id":${ID},"x":[1.0,1e400]}`;

  function streamed(text: string): string {
    const chunks = text.split("\n\n").filter((frame) => frame.startsWith("data: {"));
    return chunks
      .map((frame) => JSON.parse(frame.slice("data: ".length)) as Chunk)
      .map(({ choices }) => choices[0]?.delta?.tool_calls?.[0]?.function.arguments ?? "")
      .join("");
  }

  interface Chunk {
    choices: { delta?: { tool_calls?: { function: { arguments?: string } }[] } }[];
  }

  interface Completion {
    choices: { message: { tool_calls: { function: { arguments: string } }[] } }[];
  }

  const gemini = `{"candidates":[{"content":{"role":"model","parts":[{"functionCall":{"name":"row","args":${args}}}]},"finishReason":"STOP","x_unknown":${ID}}],"usageMetadata":{"promptTokenCount":3.0,"candidatesTokenCount":2,"totalTokenCount":5},"x_count":${ID}}`;
  const block = `{"type":"tool_use","id":"t1","name":"row","input":${args}}`;
  const message = (content: string) =>
    `{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[${content}],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":3,"output_tokens":1},"x_count":${ID}}`;
  const anthropic = [
    `{"type":"message_start","message":${message("")}}`,
    `{"type":"content_block_start","index":0,"content_block":${block}}`,
    `{"type":"content_block_stop","index":0}`,
    `{"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":9}}`,
    `{"type":"message_stop"}`,
  ];

  test.each([
    ["ge/gemini-2.5-pro", { plain: gemini, events: [gemini] }],
    [
      "an/claude-sonnet-4-5",
      { plain: message(block).replace('"stop_reason":null', '"stop_reason":"tool_use"'), events: anthropic },
    ],
  ])(
    "of %s gives a call's arguments with the same digits, plain, streamed and from the cache",
    async (model, said) => {
      says = said;
      const body = (stream: boolean) => `{"model":"${model}","temperature":0,"stream":${stream},${MESSAGES}}`;
      for (const caching of ["no-cache", "no-store", undefined, undefined]) {
        const headers = {
          authorization: `Bearer ${gateway.key}`,
          ...(caching && { "cache-control": caching }),
        };
        const init = (stream: boolean) => ({ method: "POST", headers, body: body(stream) });
        const plain = await fetch(`${gateway.baseURL}/chat/completions`, init(false));
        const { choices } = (await plain.json()) as Completion;
        expect(choices[0]?.message.tool_calls[0]?.function.arguments).toBe(args);
        const stream = await fetch(`${gateway.baseURL}/chat/completions`, init(true));
        expect(streamed(await stream.text())).toBe(args);
      }
    },
  );

  test("keeps the digits of members that nobody knows", async () => {
    const unknown = `"x_unknown":${ID},"x_float":1.0,"x_big":1e400`;
    const chunk = (rest: string) => `{"id":"1","object":"chat.completion.chunk",${rest}}`;
    const events = [
      chunk(
        `"choices":[{"index":0,"delta":{"content":"a","x_delta":${ID}},"finish_reason":null}],${unknown}`,
      ),
      chunk(`"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]`),
      chunk(`"choices":[],"usage":{"prompt_tokens":1.0,"completion_tokens":1,"x_usage":${ID}}`),
      "[DONE]",
    ];
    const plain = `{"id":"1","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"a","x_delta":${ID}},"finish_reason":"stop"}],${unknown},"usage":{"prompt_tokens":1.0,"completion_tokens":1,"x_usage":${ID}}}`;
    says = { plain, events };
    for (const stream of [false, true, false, true]) {
      const usage = stream ? ',"stream_options":{"include_usage":true}' : "";
      const answer = await ask(`{"model":"oa/m","temperature":0,"stream":${stream},${MESSAGES}${usage}}`);
      const text = await answer.text();
      expect(answer.headers.get("x-modelyard-usage") ?? "upstream").toBe("upstream");
      for (const member of [unknown, `"x_delta":${ID}`, `"x_usage":${ID}`]) expect(text).toContain(member);
    }
  });
});
