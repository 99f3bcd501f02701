import { afterEach, beforeEach, expect, test } from "bun:test";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { ChatOpenAI } from "@langchain/openai";
import { streamText } from "ai";
import OpenAI, { APIError, APIUserAbortError, BadRequestError, InternalServerError } from "openai";
import { startGateway } from "../support/gateway.ts";
import type { RunningGateway } from "../support/gateway.ts";
import type { Emulator } from "../support/langfast-emulator/index.ts";
import { generatedText, startEmulator } from "../support/langfast-emulator/index.ts";
import { until } from "../support/until.ts";

/**
 * Real clients in front, the emulated langfa.st behind, and all that is ours in between.
 * @module
 */
const MODEL = "gpt-4o-mini";

let emulator: Emulator;
let gateway: RunningGateway;
let client: OpenAI;

beforeEach(async () => {
  emulator = await startEmulator();
  const options = JSON.stringify({
    anon_key: emulator.anonKey,
    supabase_url: emulator.supabaseUrl,
    socket_url: emulator.socketUrl,
    credentials: { min: 1, max: 3 },
  });
  gateway = await startGateway(`upstreams: { langfast: { plugin: langfast, options: ${options} } }\n`);
  client = new OpenAI({ baseURL: gateway.baseURL, apiKey: gateway.key, maxRetries: 0 });
});
afterEach(async () => {
  await until(() => gateway.gateway.inFlight.running === 0, "the end of all calls");
  expect(emulator.violations).toEqual([]);
  await gateway[Symbol.asyncDispose]();
  await emulator[Symbol.asyncDispose]();
});

function asking(text: string, model = MODEL) {
  return { model, messages: [{ role: "user" as const, content: text }] };
}

test("the OpenAI SDK gets the whole text, streamed and plain, by either name", async () => {
  const expected = generatedText(7, 3_000);
  for (const model of [MODEL, `langfast/${MODEL}`]) {
    const question = asking("#gen 7 3000", model);
    const streamed = await client.chat.completions.stream(question).finalChatCompletion();
    const plain = await client.chat.completions.create(question);
    for (const { choices } of [streamed, plain]) {
      expect(choices[0]?.message.content).toBe(expected);
      expect(choices[0]?.finish_reason).toBe("stop");
    }
    expect(plain.usage?.completion_tokens).toBe(3_000);
  }
});

test("the pieces of a stream come as they are made, and never cut a character in two", async () => {
  const begun = Promise.withResolvers<void>();
  // The second half is made only when the client has heard of the first.
  emulator.script = { before: (event) => (event >= 6 ? begun.promise : undefined) };
  const stream = await client.chat.completions.create({ ...asking("#gen 3 2001"), stream: true });
  const pieces: string[] = [];
  for await (const { choices } of stream) {
    const piece = choices[0]?.delta.content;
    if (piece) pieces.push(piece);
    if (piece) begun.resolve();
  }
  expect(pieces.length).toBeGreaterThan(1);
  expect(pieces.join("")).toBe(generatedText(3, 2_001));
  expect(pieces.slice(0, -1).every((piece) => piece.isWellFormed())).toBeTrue();
});

test("the AI SDK and LangChain get it too", async () => {
  const provider = createOpenAICompatible({ name: "m", baseURL: gateway.baseURL, apiKey: gateway.key });
  expect(await streamText({ model: provider(MODEL), prompt: "#gen 1 900" }).text).toBe(generatedText(1, 900));
  const chat = new ChatOpenAI({
    model: MODEL,
    apiKey: gateway.key,
    configuration: { baseURL: gateway.baseURL },
  });
  expect((await chat.invoke("#gen 2 900")).text).toBe(generatedText(2, 900));
});

test("many at once, each with its own text", async () => {
  const seeds = Array.from({ length: 30 }, (_, index) => index + 1);
  const answers = seeds.map(async (seed) => {
    const question = asking(`#gen ${seed} 500`);
    if (seed % 3 === 0) return client.chat.completions.create(question);
    return client.chat.completions.stream(question).finalChatCompletion();
  });
  const texts = (await Promise.all(answers)).map(({ choices }) => choices[0]?.message.content);
  // Of a character that the length cuts a plain answer has U+FFFD.
  const wellFormed = (text: string | null | undefined) => text?.toWellFormed();
  expect(texts.map(wellFormed)).toEqual(seeds.map((seed) => wellFormed(generatedText(seed, 500))));
  expect(emulator.counts.signups).toBeLessThanOrEqual(3);
});

test("models.list has its models", async () => {
  const ids = (await client.models.list()).data.map(({ id }) => id);
  expect(ids).toContain(MODEL);
  expect((await client.models.retrieve(MODEL)).owned_by).toBeString();
});

test("what the service can't do is a BadRequestError that names the parameter", async () => {
  const tools = [{ type: "function" as const, function: { name: "look" } }];
  for (const stream of [false, true]) {
    const refused = client.chat.completions.create({ ...asking("hello"), tools, stream });
    const error: unknown = await refused.catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(BadRequestError);
    expect(error).toMatchObject({ code: "unsupported_parameter", param: "tools" });
  }
  expect(emulator.counts.runsStarted).toBe(0);
});

test("a run that fails before its first word has a status, one that fails later is raised after what it said", async () => {
  emulator.script = { fault: { after: 0, how: "failed", message: "no more paper" } };
  const early: unknown = await client.chat.completions
    .create({ ...asking("#gen 1 300"), stream: true })
    .catch((reason: unknown) => reason);
  expect(early).toBeInstanceOf(InternalServerError);
  expect(String(early)).toContain("no more paper");

  const begun = Promise.withResolvers<void>();
  emulator.script = {
    fault: { after: 4, how: "failed", message: "no more ink" },
    before: (event) => (event === 3 ? begun.promise : undefined),
  };
  const stream = await client.chat.completions.create({ ...asking("#gen 1 300"), stream: true });
  let heard = "";
  const reading = (async () => {
    for await (const { choices } of stream) {
      heard += choices[0]?.delta.content ?? "";
      if (heard !== "") begun.resolve();
    }
  })();
  const late: unknown = await reading.catch((reason: unknown) => reason);
  expect(late).toBeInstanceOf(APIError);
  expect(String(late)).toContain("no more ink");
  expect(heard).not.toBe("");
  expect(generatedText(1, 300)).toStartWith(heard);
});

test("a client that leaves, waiting or listening, is not served any longer", async () => {
  emulator.script = { fault: { after: 3, how: "silence" } };
  const leaving = new AbortController();
  const plain = client.chat.completions.create(asking("#gen 1 300"), { signal: leaving.signal });
  const gone = plain.catch((reason: unknown) => reason);
  await emulator.waitFor(() => emulator.runs[0]?.framesSent === 3, "a run that has fallen silent");
  leaving.abort();
  expect(await gone).toBeInstanceOf(APIUserAbortError);
  const stream = await client.chat.completions.create({ ...asking("#gen 1 300"), stream: true });
  for await (const _ of stream) break;
  await until(() => gateway.gateway.inFlight.running === 0, "the end of both calls");
  emulator.script = {};
  const after = await client.chat.completions.create(asking("#gen 5 300"));
  expect(after.choices[0]?.message.content).toBe(generatedText(5, 300));
});
