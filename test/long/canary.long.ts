import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseRecording } from "../../toolkit/capture/recording.ts";
import type { FaultUpstream } from "../support/fault-upstream.ts";
import { openaiChunks, sseAnswer, startFaultUpstream } from "../support/fault-upstream.ts";
import { CodeProcess, GatewayFolder } from "../support/gateway-process.ts";
import type { Emulator } from "../support/langfast-emulator/index.ts";
import { startEmulator } from "../support/langfast-emulator/index.ts";
import { langfastYaml } from "../support/langfast-gateway.ts";

/**
 * `modelyard plugin record` and `modelyard canary`: what an upstream really sent, and whether it still does.
 * @module
 */
// Each test starts processes one after the other, and some of these wait for a silent upstream.
setDefaultTimeout(60_000);

const PROMPT = "Say a few words about the sea";

async function modelyard(folder: GatewayFolder, ...parameters: string[]) {
  await using process = new CodeProcess("src/cli/main.ts", [...parameters, "--config", folder.config]);
  return await process.ended(20_000);
}

async function record(folder: GatewayFolder, name: string): Promise<string> {
  const { code, stderr } = await modelyard(folder, "plugin", "record", name, "--prompt", PROMPT);
  expect([code, stderr]).toEqual([0, ""]);
  return readFileSync(join(folder.path, "recordings", `${name}.json`), "utf8");
}

describe("an upstream of Socket.IO", () => {
  let emulator: Emulator;
  let folder: GatewayFolder;
  beforeEach(async () => {
    emulator = await startEmulator({ anonKey: "anon-canary-0123456789" });
    folder = new GatewayFolder(langfastYaml(emulator, "{ min: 0, max: 1 }", "{ first_event: 3s, idle: 3s }"));
  });
  afterEach(async () => {
    folder[Symbol.dispose]();
    expect(emulator.violations).toEqual([]);
    await emulator[Symbol.asyncDispose]();
  });

  test("is recorded with its HTTP calls and the frames of its socket, and is the same the next time", async () => {
    const text = await record(folder, "langfast");
    const { frames, ...about } = parseRecording(text);
    expect(about).toMatchObject({ version: 1, upstream: "langfast", plugin: "langfast", prompt: PROMPT });
    expect(about.answer).toEqual(expect.arrayContaining(["text", "usage", "finish"]));
    const kinds = new Set(frames.map(({ kind }) => kind));
    for (const kind of ["request", "response", "socket-opened", "socket-sent", "socket-received"] as const) {
      expect(kinds).toContain(kind);
    }
    expect(text).toContain("execution:chunk");
    const { code, stdout } = await modelyard(folder, "canary", "langfast");
    expect(stdout).toStartWith('"langfast" is the same as in the recording of ');
    expect(code).toBe(0);
  });

  test("is recorded without its secrets", async () => {
    const text = await record(folder, "langfast");
    expect(text).not.toContain("anon-canary-0123456789");
    expect(text).not.toContain("eyJ");
    expect(text).toContain('"access_token": "[redacted]"');
    expect(text).toContain('40{\\"token\\":\\"[redacted]\\"}');
    // A refresh token begins with its user's id in this emulator.
    expect(text).not.toMatch(/[0-9a-f-]{36}\.[0-9a-f-]{36}/);
  });

  test("that has one more event and one field fewer is told by their names, with 3", async () => {
    await record(folder, "langfast");
    emulator.script = { noise: true, renamed: { finish_reason: "stop_reason" } };
    const { code, stdout } = await modelyard(folder, "canary", "langfast");
    expect(stdout).toContain('  socket message 2 "execution:chunk" .finish_reason: string → missing\n');
    expect(stdout).toContain('  socket message 2 "execution:chunk" .stop_reason: new (string)\n');
    expect(stdout).toContain('  socket message 2 "execution:progress": new\n');
    expect(stdout).not.toContain(".content");
    expect(code).toBe(3);
  });

  test("that the plugin no longer understands is told by the path that has changed, with 3", async () => {
    await record(folder, "langfast");
    emulator.script = { renamed: { content: "text", status: "state" }, end: "status" };
    const { code, stdout } = await modelyard(folder, "canary", "langfast");
    expect(stdout).toContain('socket message 2 "execution:chunk" .content: string → missing\n');
    expect(stdout).toContain("and the plugin failed: ");
    expect(code).toBe(3);
  });

  test("that refuses is not called changed: it couldn't be asked, with 1", async () => {
    await record(folder, "langfast");
    emulator.script = { signup: { status: 429 } };
    const { code, stdout, stderr } = await modelyard(folder, "canary", "langfast");
    expect(stderr).toContain(`the call of the upstream "langfast" failed: `);
    expect([code, stdout]).toEqual([1, ""]);
  });
});

describe("an upstream of server-sent events", () => {
  const KEY = "sk-canary-0123456789";
  const USAGE = { prompt_tokens: 3, completion_tokens: 4, total_tokens: 7 };
  let upstream: FaultUpstream;
  let folder: GatewayFolder;
  beforeEach(async () => {
    upstream = await startFaultUpstream();
    upstream.respond = (exchange) => exchange.send(sseAnswer(openaiChunks("The sea", { usage: USAGE })));
    const options = JSON.stringify({ base_url: `${upstream.url}/v1`, api_key: KEY, models: ["m"] });
    folder = new GatewayFolder(`upstreams: { sea: { plugin: openai, options: ${options} } }\n`);
  });
  afterEach(async () => {
    folder[Symbol.dispose]();
    await upstream[Symbol.asyncDispose]();
  });

  test("is recorded event by event, and is the same the next time; its key is left out even when it is said back", async () => {
    upstream.respond = (exchange) =>
      exchange.send(sseAnswer(openaiChunks("The sea", { model: KEY, usage: USAGE })));
    const text = await record(folder, "sea");
    expect(text).not.toContain(KEY);
    expect(text).toContain('"model": "[redacted]"');
    const responses = parseRecording(text).frames.filter((frame) => frame.kind === "response");
    expect(responses).toHaveLength(1);
    expect(responses[0]?.events?.map(({ data }) => data)).toContain("[DONE]");
    expect(responses[0]?.pieces.length).toBeGreaterThan(0);
    expect((await modelyard(folder, "canary", "sea")).code).toBe(0);
  });

  test("is told by path and types when a type changes, something is new or something is missing", async () => {
    await record(folder, "sea");
    upstream.respond = (exchange) => {
      const frames = openaiChunks("The sea", {
        usage: { ...USAGE, total_tokens: "7", cost: 1 },
        done: false,
      });
      exchange.send(sseAnswer(frames));
    };
    const { code, stdout } = await modelyard(folder, "canary", "sea");
    const chunk = 'POST /v1/chat/completions event "message" chat.completion.chunk';
    expect(stdout).toContain(`  ${chunk} .usage.total_tokens: number → string\n`);
    expect(stdout).toContain(`  ${chunk} .usage.cost: new (number)\n`);
    expect(stdout).toContain('  POST /v1/chat/completions event "message" [DONE]: missing\n');
    expect(stdout.split("\n")).toHaveLength(5);
    expect(code).toBe(3);
  });

  test("that says something once and not again is not called changed", async () => {
    await record(folder, "sea");
    const once = upstream.requests.length;
    upstream.respond = (exchange) => {
      const more = upstream.requests.length === once + 1 ? { cost: 1 } : {};
      exchange.send(sseAnswer(openaiChunks("The sea", { usage: { ...USAGE, ...more } })));
    };
    expect((await modelyard(folder, "canary", "sea")).code).toBe(0);
    expect(upstream.requests).toHaveLength(once + 2);
  });

  test("that only breaks off is not called changed", async () => {
    await record(folder, "sea");
    upstream.respond = (exchange) =>
      exchange.send(sseAnswer(openaiChunks("The sea", { finish: null, done: false })));
    const { code, stdout, stderr } = await modelyard(folder, "canary", "sea");
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toContain(`"sea" failed: `);
  });

  test("that doesn't answer is not recorded", async () => {
    upstream.respond = (exchange) => exchange.close();
    const { code, stderr } = await modelyard(folder, "plugin", "record", "sea", "--prompt", PROMPT);
    expect(stderr).toContain(`nothing is written: the call of the upstream "sea" failed: `);
    expect(code).toBe(1);
    expect(existsSync(join(folder.path, "recordings"))).toBe(false);
  });

  test("isn't asked where the recording couldn't be written", async () => {
    const asked = upstream.requests.length;
    for (const out of [".", join(folder.path, "gateway.yaml", "x.json")]) {
      const words = ["plugin", "record", "sea", "--prompt", PROMPT, "--out", out];
      const { code, stderr } = await modelyard(folder, ...words);
      expect([code, stderr]).toEqual([1, expect.stringMatching(/^\S+ can't be written: .*\n$/)]);
    }
    expect(upstream.requests).toHaveLength(asked);
  });

  test("is asked only by arguments that make sense, else the usage is told, with 2", async () => {
    for (const words of [["canary"], ["canary", "sea", "sky"], ["canary", "sea", "--reccording", "x"]]) {
      const { code, stderr } = await modelyard(folder, ...words);
      expect([code, stderr]).toEqual([2, expect.stringContaining("usage: bun run modelyard canary NAME")]);
    }
    for (const words of [[], ["sea"], ["--prompt", "x"], ["sea", "--prompt", ""]]) {
      const { code, stderr } = await modelyard(folder, "plugin", "record", ...words);
      expect([code, stderr]).toEqual([2, expect.stringContaining("plugin record NAME --prompt TEXT")]);
    }
  });

  test("without a recording that can be read there is nothing to compare: 2, and what is wrong with it", async () => {
    const none = await modelyard(folder, "canary", "sea");
    expect([none.code, none.stderr]).toEqual([2, expect.stringContaining("make one with `plugin record`")]);
    folder.write("bad.json", JSON.stringify({ version: 2 }));
    const bad = await modelyard(folder, "canary", "sea", "--recording", join(folder.path, "bad.json"));
    expect([bad.code, bad.stderr]).toEqual([2, expect.stringContaining("bad.json can't be read: /")]);
    expect(upstream.requests).toHaveLength(0);
  });

  test("of a name that isn't in gateway.yaml is answered with the names that are, with 1", async () => {
    const { code, stderr } = await modelyard(folder, "plugin", "record", "see", "--prompt", PROMPT);
    expect([code, stderr]).toEqual([1, expect.stringContaining('no enabled upstream "see"; it has: sea')]);
  });
});
