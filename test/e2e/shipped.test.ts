import { afterAll, beforeAll, expect, test } from "bun:test";
import OpenAI, { APIError, BadRequestError } from "openai";
import { startGateway } from "../support/gateway.ts";
import type { RunningGateway } from "../support/gateway.ts";
import { GatewayFolder, startMain } from "../support/gateway-process.ts";
import { generatedText, startEmulator } from "../support/langfast-emulator/index.ts";
import { until } from "../support/until.ts";

/**
 * What is shipped: gateway.yaml as it stands in the project's folder, and the echo plugin for trying things out.
 * @module
 */
const SHIPPED = await Bun.file(new URL("../../gateway.yaml", import.meta.url)).text();

const SCRIPT = `
upstreams:
  echo:
    plugin: echo
    options:
      models: [echo, family/large]
      script:
        - match: weather
          steps:
            - reasoning: It wants a tool.
            - tool_call: { id: call_1, name: weather, arguments: { city: Oslo } }
        - { match: fail, steps: [error: { code: context-length, message: too much }] }
        - { match: break, steps: [text: "Once ", text: upon, error: { code: failed, message: out of ink }] }
        - { match: cut, steps: [text: "Once ", cut: true] }
`;

let gateway: RunningGateway;
let client: OpenAI;

beforeAll(async () => {
  gateway = await startGateway(SCRIPT);
  client = new OpenAI({ baseURL: gateway.baseURL, apiKey: gateway.key, maxRetries: 0 });
});
afterAll(() => gateway[Symbol.asyncDispose]());

function asking(text: string, model = "echo") {
  return { model, messages: [{ role: "user" as const, content: text }] };
}

test("the echo repeats what it is told, streamed and plain", async () => {
  const plain = await client.chat.completions.create(asking("to be or not to be", "family/large"));
  expect(plain.choices[0]?.message.content).toBe("to be or not to be");
  expect(plain.usage?.completion_tokens).toBe(6);
  const streamed = await client.chat.completions.stream(asking("to be or not to be")).finalContent();
  expect(streamed).toBe("to be or not to be");
});

test("what the echo answers costs 0, and isn't of unknown price", async () => {
  await client.chat.completions.create(asking("to be or not to be"));
  const metrics = async () => await (await fetch(`${new URL(gateway.baseURL).origin}/metrics`)).text();
  const cost = /^modelyard_cost_usd_total\{upstream="echo",model="echo",key="[^"]*"\} 0$/m;
  await until(async () => cost.test(await metrics()), "a cost");
  expect(await metrics()).not.toMatch(/^modelyard_unpriced_requests_total\{upstream="echo"/m);
});

test("a script calls tools", async () => {
  const { choices } = await client.chat.completions
    .stream(asking("How is the weather?"))
    .finalChatCompletion();
  expect(choices[0]).toMatchObject({
    finish_reason: "tool_calls",
    message: { tool_calls: [{ id: "call_1", function: { name: "weather", arguments: '{"city":"Oslo"}' } }] },
  });
});

test("a script fails, before the answer and in the middle of it", async () => {
  const refused: unknown = await client.chat.completions
    .create(asking("fail"))
    .catch((reason: unknown) => reason);
  expect(refused).toBeInstanceOf(BadRequestError);
  expect(String(refused)).toContain("too much");
  for (const [order, message] of [
    ["break", "out of ink"],
    ["cut", "broke off"],
  ] as const) {
    const stream = await client.chat.completions.create({ ...asking(order), stream: true });
    const broken: unknown = await Array.fromAsync(stream).catch((reason: unknown) => reason);
    expect(broken).toBeInstanceOf(APIError);
    expect(String(broken)).toContain(message);
  }
});

test("the shipped gateway.yaml serves the echo, with nothing set", async () => {
  using folder = new GatewayFolder(SHIPPED);
  await using process = startMain(folder, { PORT: "0" });
  const url = await process.listening();
  const key = /key +(sk-\S+)/.exec(process.stdout)?.[1] ?? "";
  const newcomer = new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 0 });
  expect((await newcomer.models.list()).data.map(({ id }) => id)).toEqual(["echo"]);
  const answer = await newcomer.chat.completions.create(asking("hello there"));
  expect(answer.choices[0]?.message.content).toBe("hello there");
});

// Tests listen on loopback alone: that 0.0.0.0 and :: are served there, too, is the system's business.
test.each([
  ["127.0.0.1", "127.0.0.1"],
  ["127.0.0.1", "0.0.0.0"],
  ["127.0.0.2", "127.0.0.2"],
  ["::1", "::1"],
  ["::1", "::"],
])("on %s the image's health check finds the gateway with HOST=%s", async (address, host) => {
  const dockerfile = await Bun.file(new URL("../../Dockerfile", import.meta.url)).text();
  const [, command = "[]"] = /^HEALTHCHECK [\s\S]*?CMD (\[.*\])$/m.exec(dockerfile) ?? [];
  const [, ...parameters] = JSON.parse(command) as string[];
  using folder = new GatewayFolder(SHIPPED);
  const check = async (port: string) =>
    await Bun.spawn([process.execPath, ...parameters], { env: { HOST: host, PORT: port }, stderr: "ignore" })
      .exited;
  await using gateway = startMain(folder, { HOST: address, PORT: "0" });
  const { port } = new URL(await gateway.listening());
  expect(await check(port)).toBe(0);
  gateway.signal("SIGTERM");
  await gateway.ended();
  expect(await check(port)).not.toBe(0);
});

test("the shipped gateway.yaml serves langfast as soon as its key is set, under the predecessor's variables", async () => {
  await using emulator = await startEmulator();
  using folder = new GatewayFolder(SHIPPED);
  await using process = startMain(folder, {
    HOST: "127.0.0.1",
    PORT: "0",
    API_MASTER_KEY: "sk-master-0123456789",
    MIN_CREDENTIALS: "1",
    MAX_CREDENTIALS: "2",
    LANGFAST_ANON_KEY: emulator.anonKey,
    LANGFAST_SUPABASE_URL: emulator.supabaseUrl,
    LANGFAST_SOCKET_URL: emulator.socketUrl,
  });
  const baseURL = `${await process.listening()}/v1`;
  const master = new OpenAI({ baseURL, apiKey: "Bearer sk-master-0123456789", maxRetries: 0 });
  const answer = await master.chat.completions.stream(asking("#gen 9 700", "gpt-4o-mini")).finalContent();
  expect(answer).toBe(generatedText(9, 700));
  process.signal("SIGTERM");
  const { code, stdout, stderr } = await process.ended();
  expect(code).toBe(0);
  expect(stdout + stderr).not.toContain("sk-master-0123456789");
  expect(emulator.violations).toEqual([]);
});
