import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { FaultUpstream } from "../support/fault-upstream.ts";
import { openaiChunks, sseAnswer, startFaultUpstream } from "../support/fault-upstream.ts";
import type { RunningGateway } from "../support/gateway.ts";
import { startGateway } from "../support/gateway.ts";
import type { RunFault } from "../support/langfast-emulator/index.ts";
import { everyUnits } from "../support/langfast-emulator/index.ts";
import { startLangfast } from "../support/langfast-gateway.ts";
import { checkResponsesStream } from "../support/responses-stream.ts";

/**
 * Responses in front of each kind of upstream: whole answers, and answers that break off after any of their events.
 * @module
 */

let server: FaultUpstream;
let gateway: RunningGateway;

beforeAll(async () => {
  server = await startFaultUpstream();
  const script = `[{ match: half, steps: [{ text: "Half of it" }, { cut: true }] }]`;
  gateway = await startGateway(`retry: { attempts: 1 }
health: { failures: 100000 }
upstreams:
  openai: { plugin: openai, options: { base_url: "${server.url}/v1", models: [gpt-4o] } }
  anthropic: { plugin: anthropic, options: { base_url: "${server.url}", api_key: sk-ant-0123456789, models: [claude-sonnet-4-5] } }
  gemini: { plugin: gemini, options: { base_url: "${server.url}/v1beta", api_key: key-1, models: [gemini-2.5-flash] } }
  echo: { plugin: echo, options: { models: [echo-1], script: ${script} } }
`);
});
afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

interface Outcome {
  readonly status: string;
  readonly types: readonly string[];
}

/** What a client sees of a streamed answer; `refused` where it is an HTTP error. */
async function outcomeOf(model: string, { of = gateway, input = "Hi" } = {}): Promise<Outcome> {
  const response = await fetch(`${of.baseURL}/responses`, {
    method: "POST",
    headers: { authorization: `Bearer ${of.key}`, "content-type": "application/json" },
    body: JSON.stringify({ model, input, stream: true, reasoning: { effort: "low", summary: "auto" } }),
  });
  const text = await response.text();
  if (response.status !== 200) return { status: "refused", types: [] };
  const { response: answer } = checkResponsesStream(text);
  return { status: answer.status ?? "", types: answer.output.map(({ type }) => type) };
}

const framesIn = async (path: string) => {
  const text = await Bun.file(new URL(`../../plugins/${path}`, import.meta.url)).text();
  return text.split(/(?<=\r?\n\r?\n)/);
};

const delta = (said: object, finish: string | null = null) =>
  `data: ${JSON.stringify({ id: "c", object: "chat.completion.chunk", created: 1, model: "m", choices: [{ index: 0, delta: said, finish_reason: finish }] })}\n\n`;
const call = (index: number, more: object) => delta({ tool_calls: [{ index, ...more }] });
const OPENAI_CALLS = [
  delta({ role: "assistant", reasoning_content: "Hm." }),
  delta({ content: "Both." }),
  call(0, { id: "a", type: "function", function: { name: "f", arguments: "" } }),
  call(1, { id: "b", type: "function", function: { name: "g", arguments: '{"b":' } }),
  call(0, { function: { arguments: '{"a":1}' } }),
  call(1, { function: { arguments: "2}" } }),
  delta({}, "tool_calls"),
  `data: {"id":"c","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}\n\n`,
  "data: [DONE]\n\n",
];

interface Recording {
  readonly model: string;
  readonly frames: () => string[] | Promise<string[]>;
  /** What an answer must have said before it can be whole. */
  readonly mark: RegExp;
  readonly types: readonly string[];
}

const usage = { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 };
const RECORDINGS: Readonly<Record<string, Recording>> = {
  "OpenAI's text": {
    model: "openai/gpt-4o",
    frames: () => openaiChunks("Hello there!", { usage }),
    mark: /"finish_reason":"stop"/,
    types: ["message"],
  },
  "OpenAI's calls": {
    model: "openai/gpt-4o",
    frames: () => OPENAI_CALLS,
    mark: /"finish_reason":"tool_calls"/,
    types: ["reasoning", "message", "function_call", "function_call"],
  },
  "Anthropic's text": {
    model: "anthropic/claude-sonnet-4-5",
    frames: () => framesIn("anthropic/fixtures/text.sse"),
    mark: /event: message_delta/,
    types: ["message"],
  },
  "Anthropic's calls": {
    model: "anthropic/claude-sonnet-4-5",
    frames: () => framesIn("anthropic/fixtures/tools.sse"),
    mark: /event: message_delta/,
    types: ["reasoning", "message", "reasoning", "function_call", "function_call"],
  },
  "Gemini's text": {
    model: "gemini/gemini-2.5-flash",
    frames: () => framesIn("gemini/fixtures/text.sse"),
    mark: /"finishReason"/,
    types: ["reasoning", "message"],
  },
  "Gemini's calls": {
    model: "gemini/gemini-2.5-flash",
    frames: () => framesIn("gemini/fixtures/calls.sse"),
    mark: /"finishReason"/,
    types: ["function_call", "function_call", "function_call"],
  },
};

describe("an answer is whole, and fails where it is cut after any event:", () => {
  test.each(Object.entries(RECORDINGS))("%s", async (_, { model, frames, mark, types }) => {
    const all = (await frames()).filter((frame) => frame.trim() !== "");
    for (let sent = 0; sent <= all.length; sent++) {
      const begun = all.slice(0, sent);
      server.respond = (exchange) => exchange.send(sseAnswer(begun));
      const outcome = await outcomeOf(model);
      if (sent === all.length) expect(outcome).toEqual({ status: "completed", types: [...types] });
      else if (!mark.test(begun.join(""))) expect(["failed", "refused"]).toContain(outcome.status);
    }
  });
});

test("echo answers, and an answer that it cuts fails", async () => {
  expect(await outcomeOf("echo/echo-1")).toEqual({ status: "completed", types: ["message"] });
  expect(await outcomeOf("echo/echo-1", { input: "half" })).toEqual({ status: "failed", types: [] });
});

test("a run of langfast's answers, and fails wherever it does", async () => {
  await using langfast = await startLangfast({ timeouts: "{ first_event: 1s, idle: 150ms }" });
  const { emulator, gateway: of } = langfast;
  const pieces = everyUnits(4);
  emulator.script = { end: "both", pieces };
  const whole = await outcomeOf("gpt-4o-mini", { of, input: "Zoë says hello" });
  expect(whole).toEqual({ status: "completed", types: ["message"] });
  const ways: RunFault["how"][] = ["failed", "error-member"];
  for (const how of ways) {
    for (let after = 0; after < 4; after++) {
      emulator.script = { end: "both", pieces, fault: { how, after } };
      const { status } = await outcomeOf("gpt-4o-mini", { of, input: "Zoë says hello" });
      expect(["failed", "refused"]).toContain(status);
    }
  }
});
