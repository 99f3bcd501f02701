import { afterAll, beforeAll, expect, test } from "bun:test";
import type { FaultUpstream } from "../support/fault-upstream.ts";
import { jsonAnswer, sseAnswer, startFaultUpstream } from "../support/fault-upstream.ts";
import type { CodeProcess } from "../support/gateway-process.ts";
import { GatewayFolder, startMain } from "../support/gateway-process.ts";
import { until } from "../support/until.ts";

/**
 * What an upstream says beside its answer reaches clients masked and bounded, and the log as far as it helps to find a
 * fault.
 * @module
 */
const UP_KEY = "up-Qw7zK4vN9bX2cM5tR8yL1jH3gF6dS0aPe";
const CLIENT = "sk-client-0123456789";
const USAGE = { prompt_tokens: 1, completion_tokens: 1 };

let upstream: FaultUpstream;
let folder: GatewayFolder;
let gateway: CodeProcess;
let url: string;

beforeAll(async () => {
  upstream = await startFaultUpstream();
  const base_url = `${upstream.url}/v1`;
  const models = ["words", "limited", "broken"];
  // One for each: a model that failed rests.
  const upstreams = {
    oa: { plugin: "openai", options: { base_url, api_key: UP_KEY, models } },
    an: { plugin: "anthropic", options: { base_url: upstream.url, api_key: UP_KEY, models: ["claude-x"] } },
  };
  folder = new GatewayFolder(
    [
      "server: { port: 0 }",
      "telemetry: { level: info, log: json }",
      "retry: { attempts: 1 }",
      `keys: [{ name: test, key: ${CLIENT} }]`,
      `upstreams: ${JSON.stringify(upstreams)}`,
    ].join("\n"),
  );
  gateway = startMain(folder);
  url = await gateway.listening();
});

afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
  await upstream[Symbol.asyncDispose]();
});

function ask(body: object): Promise<Response> {
  return fetch(`${url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${CLIENT}` },
    body: JSON.stringify({ messages: [{ role: "user", content: "Hi" }], ...body }),
  });
}

/** The line of the log that has the text, parsed. */
async function logged(text: string): Promise<Record<string, unknown>> {
  const find = () => gateway.stderr.split("\n").find((line) => line.includes(text) && line.endsWith("}"));
  await until(() => find() !== undefined, `a line with ${text}`);
  return JSON.parse(find() ?? "") as Record<string, unknown>;
}

test.each([true, false])(
  "a finish reason is masked and cut as an error's message is; streamed: %p",
  async (stream) => {
    const word = `ended by ${UP_KEY} ${"on and on ".repeat(1_000)}`;
    const choice = { index: 0, finish_reason: "stop", native_finish_reason: word };
    upstream.respond = (exchange) =>
      exchange.send(
        stream
          ? sseAnswer([
              `data: ${JSON.stringify({ choices: [{ ...choice, delta: { content: "Hello" } }], usage: USAGE })}\n\n`,
              "data: [DONE]\n\n",
            ])
          : jsonAnswer({ choices: [{ ...choice, message: { content: "Hello" } }], usage: USAGE }),
      );
    const text = await (await ask({ model: "words", stream })).text();
    expect(text).toContain("Hello");
    expect(text).toContain('"native_finish_reason":"ended by [redacted] on and on');
    expect(text).not.toContain(UP_KEY);
    expect(text.length).toBeLessThan(1_500);
  },
);

test.each([
  ["99999999999", "2678400"],
  ["Fri, 31 Dec 9999 23:59:59 GMT", "2678400"],
  ["3600", "3600"],
])("no client is told to wait longer than a month: %s", async (said, told) => {
  upstream.respond = (exchange) =>
    exchange.send(jsonAnswer({ error: { message: "slow down" } }, 429, { "retry-after": said }));
  const answer = await ask({ model: "limited" });
  await answer.text();
  expect([answer.status, answer.headers.get("retry-after")]).toEqual([429, told]);
});

test("a failed attempt is logged with the status that the upstream answered", async () => {
  upstream.respond = (exchange) => exchange.send(jsonAnswer({ error: { message: "no" } }, 507));
  const answer = await ask({ model: "broken" });
  await answer.text();
  expect(answer.status).toBe(502);
  expect(await logged('"code":"failed"')).toMatchObject({ level: "warn", upstream: "oa", status: 507 });
});

test("the request's line of the log names all parameters that were ignored, the header as many as it can", async () => {
  upstream.respond = (exchange) =>
    exchange.send(
      jsonAnswer({
        type: "message",
        role: "assistant",
        content: [{ type: "text", text: "Hello" }],
        stop_reason: "end_turn",
        usage: { input_tokens: 1, output_tokens: 1 },
      }),
    );
  const names = Array.from({ length: 60 }, (_, at) => `unknown_parameter_${at}_of_a_client`);
  const answer = await ask({
    model: "claude-x",
    max_tokens: 5,
    ...Object.fromEntries(names.map((name) => [name, 1])),
  });
  await answer.text();
  expect(answer.headers.get("x-modelyard-ignored")).toEndWith("...");
  const { ignored } = await logged('"model":"claude-x"');
  expect(ignored).toBe(names.join(","));
});
