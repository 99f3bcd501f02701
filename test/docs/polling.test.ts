import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { startGateway } from "../support/gateway.ts";
import type { RunningGateway } from "../support/gateway.ts";
import { jobServer, TOKEN } from "../support/job-server.ts";
import type { JobServer } from "../support/job-server.ts";
import { readFrames } from "../support/sse-frames.ts";
import { until, withinMs } from "../support/until.ts";
import { blocks, fileOf, guide, settingsOf } from "./page.ts";

/**
 * The plugin in the guide for authors that polls its upstream does what the guide says.
 * @module
 */
const page = await guide();
const PLUGIN = fileOf(page, "jobs.ts");
const TRYING = blocks(page).find(({ text }) => text.includes("telemetry:"))?.text ?? "";
const SETTINGS = settingsOf(page, "jobs.ts") + TRYING.replace("debug", "error");

function startWith(server: JobServer, token = TOKEN, poll = "5ms"): Promise<RunningGateway> {
  const yaml = SETTINGS.replace("http://127.0.0.1:9000", server.url).replace("200ms", poll);
  return startGateway(yaml, { files: { "jobs.ts": PLUGIN }, environment: { JOBS_TOKEN: token } });
}

function asking(model: string, fields: object = {}): object {
  return { model, messages: [{ role: "user", content: "Tell me" }], ...fields };
}

/** What a stream says until it says `words`. */
async function saidUntil(words: string, response: Response): Promise<string> {
  let said = "";
  for await (const piece of response.body ?? []) {
    said += new TextDecoder().decode(piece);
    if (said.includes(words)) break;
  }
  return said;
}

async function failureOf(response: Response) {
  const { error } = (await response.json()) as { error: { code: string; message: string; param: string } };
  return { status: response.status, ...error };
}

describe("the plugin that polls", () => {
  let server: JobServer;
  let gateway: RunningGateway;

  beforeAll(async () => {
    server = jobServer();
    gateway = await startWith(server);
  });
  afterAll(async () => {
    await gateway[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });

  test("answers plainly, with the server's own token counts", async () => {
    const response = await gateway.chat(asking("tale", { temperature: 1 }));
    expect(response.status).toBe(200);
    expect(response.headers.get("x-modelyard-ignored")).toBe("temperature");
    expect(await response.json()).toMatchObject({
      choices: [{ message: { content: "Once upon a time." }, finish_reason: "stop" }],
      usage: { prompt_tokens: 2, completion_tokens: 4 },
    });
  });

  test("streams what was added, piece by piece", async () => {
    const frames = await readFrames(await gateway.chat(asking("tale", { stream: true })));
    const pieces = frames.chunks.flatMap(({ choices }) => choices[0]?.delta.content || []);
    expect(pieces).toEqual(["Once ", "upon a ", "time."]);
    expect(frames.data.at(-1)).toBe("[DONE]");
  });

  test("takes a message in parts, and lists the server's engines", async () => {
    const content = [{ type: "text", text: "Tell me" }];
    const parted = await gateway.chat({ model: "tale", messages: [{ role: "user", content }] });
    expect(parted.status).toBe(200);
    expect(server.prompts.at(-1)).toBe("Tell me");
    const headers = { authorization: `Bearer ${gateway.key}` };
    const listed = await fetch(`${gateway.baseURL}/models`, { headers });
    expect(JSON.stringify(await listed.json())).toContain('"id":"endless"');
  });

  test("hands on how long the server wants to be left alone", async () => {
    const response = await gateway.chat(asking("slow-down"));
    expect(response.headers.get("retry-after")).toBe("7");
    expect(await failureOf(response)).toMatchObject({
      status: 429,
      code: "rate_limit_exceeded",
      message: expect.stringContaining("one at a time"),
    });
  });

  test("says what broke a job, and ends it", async () => {
    const cancelled = server.cancelling();
    expect(await failureOf(await gateway.chat(asking("broken")))).toMatchObject({
      status: 502,
      code: "upstream_error",
      message: expect.stringContaining("the engine is on fire"),
    });
    await withinMs(cancelled, "the end of the job");
  });

  test("ends a stream whose words were changed with an error", async () => {
    const cancelled = server.cancelling();
    const { text, data } = await readFrames(await gateway.chat(asking("fickle", { stream: true })));
    expect(text).toContain('"content":"Yes"');
    expect(text).not.toContain('"content":"No"');
    expect(data.at(-1)).toContain("upstream_bad_response");
    await withinMs(cancelled, "the end of the job");
  });

  test("says of a job that can't be looked at any more that its answer broke off", async () => {
    const { text, data } = await readFrames(await gateway.chat(asking("falling", { stream: true })));
    expect(text).toContain('"content":"Once"');
    expect(data.at(-1)).toContain("upstream_truncated");
    expect(await failureOf(await gateway.chat(asking("fallen")))).toMatchObject({
      status: 503,
      code: "upstream_unavailable",
    });
  });

  test("knows no engine but the server's", async () => {
    const failure = await failureOf(await gateway.chat(asking("jobs/unheard-of")));
    expect(failure).toMatchObject({ status: 404, code: "model_not_found" });
  });

  test.each([
    ["tools", { tools: [{ type: "function", function: { name: "f" } }] }],
    ["n", { n: 2 }],
    ["response_format", { response_format: { type: "json_object" } }],
    ["messages", { messages: [{ role: "user", content: [{ type: "image_url", image_url: {} }] }] }],
  ])("refuses %s, and makes no job for it", async (param, fields) => {
    const made = server.prompts.length;
    const failure = await failureOf(await gateway.chat(asking("tale", fields)));
    expect(failure).toMatchObject({ status: 400, code: "unsupported_parameter", param });
    expect(server.prompts).toHaveLength(made);
  });

  test.each([true, false])(
    "ends the job of a client that leaves, and no other (stream: %p)",
    async (stream) => {
      const before = server.cancelled.length;
      await (await gateway.chat(asking("tale", { stream }))).text();
      const leaving = new AbortController();
      const looked = server.looked();
      const cancelled = server.cancelling();
      const answer = gateway.chat(asking("endless", { stream }), { signal: leaving.signal });
      const ended = answer.then((response) => response.text()).catch((error: unknown) => error);
      const job = await withinMs(looked, "a look at the job");
      leaving.abort();
      expect(await ended).toBeInstanceOf(Error);
      expect(await withinMs(cancelled, "the end of the job")).toBe(job);
      expect(server.cancelled.slice(before)).toEqual([job]);
    },
  );
});

test.each(["endless", "mute"])("with the engine %s no wait outlives the client", async (engine) => {
  await using server = jobServer();
  await using gateway = await startWith(server, TOKEN, "10m");
  const leaving = new AbortController();
  const looked = server.looked();
  const cancelled = server.cancelling();
  const answer = gateway.chat(asking(engine, { stream: true }), { signal: leaving.signal });
  const read = answer.then((response) => saidUntil("Once", response)).catch((error: unknown) => error);
  const job = await withinMs(looked, "a look at the job");
  // Its first words come before the pause, so whoever has read them leaves during the pause.
  if (engine === "endless") expect(await withinMs(read, "the first words")).toContain("Once");
  leaving.abort();
  expect(await withinMs(cancelled, "the end of the job")).toBe(job);
  await read;
});

test.each([true, false])(
  "a job whose ticket comes after the client has left is ended (stream: %p)",
  async (stream) => {
    await using server = jobServer();
    await using gateway = await startWith(server);
    const leaving = new AbortController();
    const cancelled = server.cancelling();
    const ticket = server.holdTicket();
    const answer = gateway.chat(asking("endless", { stream }), { signal: leaving.signal });
    const ended = answer.then((response) => response.text()).catch((error: unknown) => error);
    await withinMs(ticket.begun, "the job's begin");
    leaving.abort();
    expect(await ended).toBeInstanceOf(Error);
    // The ticket is given only once the gateway knows that the client has gone.
    await until(() => gateway.gateway.inFlight.running === 0, "the end of the call");
    ticket.letGo();
    expect(await withinMs(cancelled, "the end of the job")).toBe("j1");
  },
);

test("a token that the server refuses is the gateway's fault, told without the token", async () => {
  await using server = jobServer();
  await using gateway = await startWith(server, "no-such-token");
  const failure = await failureOf(await gateway.chat(asking("jobs/tale")));
  expect(failure).toMatchObject({ status: 503, code: "no_credential" });
  expect(failure.message).toBe(`the gateway's key for "jobs" was refused`);
  expect(failure.message).not.toContain("no-such-token");
});
