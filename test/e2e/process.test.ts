import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { closedGate } from "../support/gate.ts";
import { CodeProcess, GatewayFolder, startMain } from "../support/gateway-process.ts";
import type { Answers } from "../support/scripted-gateway.ts";
import { HELLO, say, SCRIPTED_PLUGIN, scriptedUpstream, stop } from "../support/scripted-gateway.ts";
import { parseFrames, readFrames, textOf } from "../support/sse-frames.ts";
import { until } from "../support/until.ts";

/**
 * The process itself, as people start and stop it.
 * @module
 */
const SERVER = 'server: { host: "${HOST:-127.0.0.1}", port: "${PORT:-0}" }\n';
const KEY = "sk-configured-0123456789";
const KEYS = "keys: [{ name: master, key: '${API_MASTER_KEY:-}' }]\n";
const CONFIGURED = { API_MASTER_KEY: KEY };

function folderWith(answers: Answers, yaml = SERVER + KEYS): GatewayFolder {
  return new GatewayFolder(yaml + scriptedUpstream(answers), { "scripted.ts": SCRIPTED_PLUGIN });
}

function ask(url: string, model: string, { key = KEY, stream = true } = {}): Promise<Response> {
  return fetch(`${url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}` },
    body: JSON.stringify({ model, stream, messages: [{ role: "user", content: "Well?" }] }),
  });
}

/** What a shell prints that is given the line of the banner. */
async function runTryLine(stdout: string, environment: Record<string, string> = {}): Promise<string> {
  const line = /\n  try +(curl [^]*)\n\n$/.exec(stdout)?.[1] ?? "false";
  const env = { PATH: process.env["PATH"] ?? "", ...environment };
  const shell = Bun.spawn(["sh", "-c", line], { env, stdout: "pipe", stderr: "ignore" });
  const text = await new Response(shell.stdout).text();
  expect(await shell.exited).toBe(0);
  return text;
}

function shownKey(stdout: string): string {
  return /key +(sk-\S+)/.exec(stdout)?.[1] ?? "";
}

describe("starting", () => {
  test("it says where it listens, what it offers, the first key once, and a line that works", async () => {
    using folder = folderWith({ hello: HELLO, other: HELLO });
    let key: string;
    {
      const began = performance.now();
      await using first = startMain(folder, { HOST: "127.0.0.1", PORT: "0" });
      const url = await first.listening();
      expect((await fetch(`${url}/health/ready`)).status).toBe(200);
      console.log(`from spawn to the first 200: ${Math.round(performance.now() - began)} ms`);
      key = shownKey(first.stdout);
      expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
      expect(first.stdout).toContain(`base URL ${url}/v1\n`);
      expect(first.stdout).toContain("models   hello, other\n");
      expect(key).toMatch(/^sk-my-[\w-]{32}$/);
      expect(textOf(parseFrames(await runTryLine(first.stdout)))).toBe("Hello, world");
      expect((await ask(url, "hello", { key })).status).toBe(200);
      first.signal("SIGTERM");
      const { code, stderr } = await first.ended();
      expect(code).toBe(0);
      expect(stderr).not.toContain(key);
    }
    await using second = startMain(folder);
    const url = await second.listening();
    expect(second.stdout).toContain(`first (${key.slice(0, 10)}…)`);
    expect(second.stdout).not.toContain(key);
    expect((await ask(url, "hello", { key })).status).toBe(200);
  });

  test("a configured key is used, and never shown, not even at the most talkative level", async () => {
    using folder = folderWith({ hello: HELLO }, `${SERVER}${KEYS}telemetry: { level: debug, log: json }\n`);
    await using gateway = startMain(folder, CONFIGURED);
    const url = await gateway.listening();
    expect(gateway.stdout).toContain("master");
    expect(gateway.stdout).toContain("$API_MASTER_KEY");
    expect(textOf(parseFrames(await runTryLine(gateway.stdout, CONFIGURED)))).toBe("Hello, world");
    const wrong = await ask(url, "hello", { key: `${KEY}x` });
    expect(wrong.status).toBe(401);
    const renamed = await ask(url, KEY);
    expect(renamed.status).toBe(404);
    gateway.signal("SIGINT");
    const { stdout, stderr } = await gateway.ended();
    expect(stderr).toContain('"model":"hello"');
    expect(stdout + stderr).not.toContain(KEY);
  });

  test("the secret that it makes is readable by its owner alone", async () => {
    using folder = folderWith({ hello: HELLO });
    await using gateway = startMain(folder);
    await gateway.listening();
    expect(statSync(join(folder.path, "data", "secret.key")).mode & 0o077).toBe(0);
  });

  test("a port in use is said in one line, and ends with 1", async () => {
    await using occupant = closedGate();
    using folder = folderWith({ hello: HELLO });
    const { port } = new URL(occupant.url);
    await using gateway = startMain(folder, { PORT: port });
    const { code, stderr, stdout } = await gateway.ended();
    expect(code).toBe(1);
    expect(stderr).toContain(`can't listen on 127.0.0.1:${port}: the port is in use`);
    expect(stderr.trim().split("\n")).toHaveLength(1);
    expect(stdout).toBe("");
  });

  test("no key is made by a start that fails", async () => {
    await using occupant = closedGate();
    using folder = folderWith({ hello: HELLO });
    await using failing = startMain(folder, { PORT: new URL(occupant.url).port });
    expect((await failing.ended()).code).toBe(1);
    await using working = startMain(folder);
    await working.listening();
    expect(shownKey(working.stdout)).toMatch(/^sk-my-/);
  });

  test("all mistakes of a configuration are reported at once, and end with 1", async () => {
    using folder = new GatewayFolder(MISTAKES, { "scripted.ts": SCRIPTED_PLUGIN });
    await using gateway = startMain(folder);
    const { code, stderr, stdout } = await gateway.ended();
    expect(code).toBe(1);
    for (const said of MISTAKES_SAID) expect(stderr).toContain(said);
    expect(stderr).not.toContain("    at ");
    expect(stdout).toBe("");
    expect(existsSync(join(folder.path, "data"))).toBeFalse();
  });

  test("a file that isn't there, and a plugin that can't be opened, are said and end with 1", async () => {
    await using absent = new CodeProcess("src/main.ts", ["--config", "/nowhere/gateway.yaml"]);
    const missing = await absent.ended();
    expect(missing.code).toBe(1);
    expect(missing.stderr).toContain("/nowhere/gateway.yaml");
    using folder = new GatewayFolder(`${SERVER}upstreams: { sad: { plugin: ./sad.ts } }\n`, {
      "sad.ts": SAD_PLUGIN,
    });
    await using sad = startMain(folder);
    const refused = await sad.ended();
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('the upstream "sad" can\'t be opened: not today');
  });
});

const MISTAKES = `
server: { prot: 8088 }
upstreams:
  one: { plugin: ./scripted.ts, options: { answers: {}, extra: 1 } }
  two: { plugin: ./nowhere.ts }
routes:
  - model: fast
    targets: [tree]
`;
const MISTAKES_SAID = [
  "gateway.yaml:2:",
  "prot",
  '"port"',
  "gateway.yaml:4:",
  "extra",
  "gateway.yaml:5:",
  "nowhere.ts",
  "gateway.yaml:8:",
  "there is no upstream of this name",
];

const SAD_PLUGIN = `
  import { definePlugin, Type } from "modelyard/plugin";
  export default definePlugin({
    apiVersion: 1, name: "sad", options: Type.Object({}),
    open() { throw new Error("not today"); },
  });
`;

describe("stopping", () => {
  test("SIGTERM lets running requests end, streamed and plain, refuses new requests, and ends with 0", async () => {
    await using gate = closedGate();
    using folder = folderWith({
      paced: [say("before"), { gate: gate.url }, say(" and after"), stop()],
      hello: HELLO,
    });
    await using gateway = startMain(folder, CONFIGURED);
    const url = await gateway.listening();
    const plain = ask(url, "paced", { stream: false });
    const running = await ask(url, "paced");
    await gate.reached(2);
    gateway.signal("SIGTERM");
    await until(async () => (await fetch(`${url}/health/ready`)).status === 503, "the draining to begin");
    const refused = await ask(url, "hello");
    expect(refused.status).toBe(503);
    expect(refused.headers.get("retry-after")).toBe("1");
    expect(await refused.json()).toMatchObject({ error: { code: "shutting_down" } });
    expect((await fetch(`${url}/health/live`)).status).toBe(200);
    gate.open();
    const frames = await readFrames(running);
    expect(textOf(frames)).toBe("before and after");
    expect(frames.data.at(-1)).toBe("[DONE]");
    expect(await (await plain).json()).toMatchObject({
      choices: [{ message: { content: "before and after" } }],
    });
    expect((await gateway.ended()).code).toBe(0);
  });

  test("a stream that outlasts server.drain ends in an error frame, and the process with 0", async () => {
    using folder = folderWith(
      { endless: [say("on and on"), { hang: true }] },
      `server: { port: 0, drain: 100ms }\n${KEYS}`,
    );
    await using gateway = startMain(folder, CONFIGURED);
    const running = await ask(await gateway.listening(), "endless");
    gateway.signal("SIGTERM");
    const frames = await readFrames(running);
    expect(JSON.parse(frames.data.at(-1) ?? "")).toMatchObject({ error: { code: "shutting_down" } });
    expect(frames.text).not.toContain("[DONE]");
    expect((await gateway.ended()).code).toBe(0);
  });

  test("a second SIGINT doesn't wait", async () => {
    using folder = folderWith({ endless: [say("on and on"), { hang: true }] });
    await using gateway = startMain(folder, CONFIGURED);
    const url = await gateway.listening();
    const running = await ask(url, "endless");
    gateway.signal("SIGINT");
    await until(async () => (await fetch(`${url}/health/ready`)).status === 503, "the draining to begin");
    gateway.signal("SIGINT");
    expect((await gateway.ended(2_000)).code).toBe(1);
    await running.text().catch(() => undefined);
  });

  test("with nothing running it ends at once, idle connections or not", async () => {
    using folder = folderWith({ hello: HELLO });
    await using gateway = startMain(folder, CONFIGURED);
    await (await ask(await gateway.listening(), "hello")).text();
    gateway.signal("SIGTERM");
    expect((await gateway.ended(2_000)).code).toBe(0);
  });
});

describe("modelyard check", () => {
  function check(folder: GatewayFolder): CodeProcess {
    return new CodeProcess("src/cli/main.ts", ["check", "--config", folder.config]);
  }

  test("a good file ends with 0, writes nothing and starts nothing", async () => {
    await using gate = closedGate();
    using folder = folderWith({ hello: HELLO });
    folder.write("busy.ts", busyPlugin(gate.url));
    folder.write(
      "gateway.yaml",
      `${SERVER}${scriptedUpstream({ hello: HELLO })}  busy: { plugin: ./busy.ts }\n`,
    );
    const before = readdirSync(folder.path);
    await using checking = check(folder);
    const { code, stdout, stderr } = await checking.ended();
    expect(code).toBe(0);
    expect(stdout).toContain("is fine: 2 of 2 upstreams open (scripted, busy)");
    expect(stderr).toBe("");
    expect(readdirSync(folder.path)).toEqual(before);
    expect(gate.waiting).toBe(0);
  });

  test("mistakes end with 1 and one report", async () => {
    using folder = new GatewayFolder(MISTAKES, { "scripted.ts": SCRIPTED_PLUGIN });
    await using checking = check(folder);
    const { code, stderr } = await checking.ended();
    expect(code).toBe(1);
    for (const said of MISTAKES_SAID) expect(stderr).toContain(said);
    expect(readdirSync(folder.path).toSorted()).toEqual(["gateway.yaml", "scripted.ts"]);
  });

  test("a plugin that uses the network while it is opened is found out", async () => {
    await using gate = closedGate();
    using folder = new GatewayFolder("upstreams: { eager: { plugin: ./eager.ts } }\n", {
      "eager.ts": eagerPlugin(gate.url),
    });
    await using checking = check(folder);
    const { code, stderr } = await checking.ended();
    expect(code).toBe(1);
    expect(stderr).toContain("a plugin may not use the network while it is being opened");
  });
});

describe("modelyard keys", () => {
  test("a key that is made while the gateway runs is good at once, and listed by its beginning", async () => {
    using folder = folderWith({ hello: HELLO });
    await using gateway = startMain(folder, CONFIGURED);
    const url = await gateway.listening();
    const keys = (...words: string[]) =>
      new CodeProcess("src/cli/main.ts", ["keys", ...words, "--config", folder.config]).ended();
    const made = await keys("create", "bob");
    expect(made.code).toBe(0);
    const key = made.stdout.trim();
    expect((await ask(url, "hello", { key })).status).toBe(200);
    const listed = await keys("list");
    expect(listed.stdout).toMatch(/^bob\tsk-my-[\w-]+…\t/);
    expect(listed.stdout).not.toContain(key);
    expect((await keys("create", "bob")).code).toBe(1);
    expect((await keys("frobnicate")).code).toBe(2);
  });
});

function busyPlugin(url: string): string {
  return `
    import { definePlugin, Type, UpstreamError } from "modelyard/plugin";
    export default definePlugin({
      apiVersion: 1, name: "busy", options: Type.Object({}),
      open: (_, host) => ({
        start: async () => void (await host.fetch(${JSON.stringify(url)})),
        models: async () => [],
        chat() { throw new UpstreamError("unavailable", "busy"); },
      }),
    });`;
}

function eagerPlugin(url: string): string {
  return `
    import { definePlugin, Type } from "modelyard/plugin";
    export default definePlugin({
      apiVersion: 1, name: "eager", options: Type.Object({}),
      async open(_, host) { await host.fetch(${JSON.stringify(url)}); throw new Error("never"); },
    });`;
}
