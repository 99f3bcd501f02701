import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import type { JsonObject } from "modelyard/plugin";
import { jsonAnswer, openaiCompletion, startFaultUpstream } from "../support/fault-upstream.ts";
import type { FaultUpstream } from "../support/fault-upstream.ts";
import type { RunningGateway } from "../support/gateway.ts";
import { startGateway } from "../support/gateway.ts";

/**
 * What an OpenAI-compatible server gets of a Responses request, and what becomes of what it refuses.
 * @module
 */

let upstream: FaultUpstream;
let gateway: RunningGateway;
let refuse: (body: JsonObject) => string | undefined;

beforeAll(async () => {
  upstream = await startFaultUpstream();
  upstream.respond = (exchange) => {
    const message = refuse(exchange.json() as JsonObject);
    if (message === undefined) return exchange.send(jsonAnswer(openaiCompletion("Hello")));
    exchange.head(400, { "content-type": "application/json" });
    exchange.chunk(JSON.stringify({ error: { message, type: "invalid_request_error" } }));
    return exchange.end();
  };
  gateway = await startGateway(`upstreams:
  plain: { plugin: openai, options: { base_url: "${upstream.url}/v1", models: [m, n, o] } }
retry: { attempts: 1 }
`);
});

afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await upstream[Symbol.asyncDispose]();
});

beforeEach(() => {
  refuse = () => undefined;
});

async function ask(body: JsonObject) {
  const response = await fetch(`${gateway.baseURL}/responses`, {
    method: "POST",
    headers: { authorization: `Bearer ${gateway.key}`, "content-type": "application/json" },
    body: JSON.stringify({ model: "plain/m", ...body }),
  });
  const sent = upstream.requests.at(-1)?.json() as JsonObject & { messages: readonly JsonObject[] };
  const { status, headers } = response;
  const answer = (await response.json()) as JsonObject;
  return { status, answer, sent, ignored: headers.get("x-modelyard-ignored"), messages: sent.messages };
}

const user = { role: "user", content: "Hi" };

test("unsigned reasoning goes back as the server gave it", async () => {
  const { messages, ignored } = await ask({
    input: [
      user,
      { type: "reasoning", summary: [], content: [{ type: "reasoning_text", text: "Hm." }] },
      { type: "function_call", call_id: "a", name: "f", arguments: "{}" },
      { type: "function_call_output", call_id: "a", output: "1" },
    ],
  });
  expect(ignored).toBeNull();
  expect(messages[1]).toMatchObject({
    role: "assistant",
    reasoning_content: "Hm.",
    tool_calls: [{ id: "a" }],
  });
});

test("a tool's name that is too long for servers goes up shorter, and comes back whole", async () => {
  const name = `mcp__server__${"tool".repeat(20)}`;
  const { respond } = upstream;
  upstream.respond = (exchange) => {
    const { tools } = exchange.json() as { tools: { function: { name: string } }[] };
    const called = { name: tools[0]?.function.name, arguments: "{}" };
    const message = {
      role: "assistant",
      content: null,
      tool_calls: [{ id: "a", type: "function", function: called }],
    };
    return exchange.send(
      jsonAnswer({ ...openaiCompletion(""), choices: [{ index: 0, message, finish_reason: "tool_calls" }] }),
    );
  };
  try {
    const { answer, sent } = await ask({
      input: [
        user,
        { type: "function_call", call_id: "b", name, arguments: "{}" },
        { type: "function_call_output", call_id: "b", output: "1" },
      ],
      tools: [{ type: "function", name, parameters: {} }],
      tool_choice: { type: "function", name },
    });
    expect(answer).toMatchObject({ output: [{ type: "function_call", name }] });
    const [tool] = sent["tools"] as [{ function: { name: string } }];
    expect(tool.function.name).toHaveLength(64);
    const called = { function: { name: tool.function.name } };
    expect(sent).toMatchObject({ tools: [called], tool_choice: called });
    expect(sent.messages[1]).toMatchObject({ tool_calls: [called] });
  } finally {
    upstream.respond = respond;
  }
});

test("what is left out is named as the client wrote it", async () => {
  const { ignored } = await ask({ input: [{ role: "user", content: [{ type: "frob", frob: 1 }] }] });
  expect(ignored).toBe("input[].content[].frob");
});

describe("a developer's message is the system's where a server knows no such role:", () => {
  const isDeveloper = ({ role }: JsonObject) => role === "developer";
  const refusals: readonly (readonly [string, string, string])[] = [
    [
      "DeepSeek",
      "plain/n",
      "unknown variant `developer`, expected one of `system`, `user`, `assistant`, `tool`",
    ],
    ["vLLM", "plain/o", "Unexpected message role."],
  ];

  test.each(refusals)("%s", async (_, model, refusal) => {
    refuse = ({ messages }) => ((messages as JsonObject[]).some(isDeveloper) ? refusal : undefined);
    const input = [{ role: "developer", content: "Be kind." }, user];
    const expected = [{ role: "system", content: "Be kind." }, user];
    const before = upstream.requests.length;
    for (const requests of [2, 3]) {
      const { status, messages, ignored } = await ask({ model, input });
      expect([status, messages, ignored]).toEqual([200, expected, null]);
      expect(upstream.requests.length).toBe(before + requests);
    }
  });

  test("and is left as it is where the refusal is about something else", async () => {
    refuse = () => "too many tools";
    const { status, messages } = await ask({ input: [{ role: "developer", content: "Be kind." }, user] });
    expect([status, messages[0]?.["role"]]).toEqual([400, "developer"]);
  });
});
