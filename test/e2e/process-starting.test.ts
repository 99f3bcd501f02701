import { expect, test } from "bun:test";
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { closedGate } from "../support/gate.ts";
import { CodeProcess, GatewayFolder, startMain } from "../support/gateway-process.ts";
import {
  ask,
  CONFIGURED,
  folderWith,
  KEY,
  KEYS,
  MISTAKES,
  MISTAKES_SAID,
  SERVER,
} from "../support/process-settings.ts";
import { HELLO, SCRIPTED_PLUGIN } from "../support/scripted-gateway.ts";
import { parseFrames, textOf } from "../support/sse-frames.ts";

/**
 * The process as people start it.
 * @module
 */
/** What a shell prints that is given the line of the banner. */
async function runTryLine(stdout: string, environment: Record<string, string> = {}): Promise<string> {
  const line = /\n  try +(curl [^]*)\n\n$/.exec(stdout)?.[1] ?? "false";
  const env = { PATH: process.env["PATH"] ?? "", ...environment };
  if (!Bun.which("curl")) return fetchAsCurl(line, environment);
  const shell = Bun.spawn(["sh", "-c", line], { env, stdout: "pipe", stderr: "ignore" });
  const text = await new Response(shell.stdout).text();
  expect(await shell.exited).toBe(0);
  return text;
}

/** What curl would get, on a machine that has none. */
async function fetchAsCurl(line: string, environment: Record<string, string>): Promise<string> {
  const filled = line.replace(/\$(\w+)/g, (_, name: string) => environment[name] ?? "");
  const url = /(http:\/\/\S+)/.exec(filled)?.[1] ?? "";
  const headers = [...filled.matchAll(/-H "([^:]+): ([^"]+)"/g)].map(([, name = "", value = ""]) => [
    name,
    value,
  ]);
  const body = /-d '([^']+)'/.exec(filled)?.[1] ?? "";
  const response = await fetch(url, { method: "POST", headers: headers as [string, string][], body });
  return response.text();
}

function shownKey(stdout: string): string {
  return /key +(sk-\S+)/.exec(stdout)?.[1] ?? "";
}

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

test("upstreams that are slow to list their models hold up nobody", async () => {
  const slow = `import { definePlugin, Type } from "modelyard/plugin";
    export default definePlugin({ apiVersion: 1, name: "slow", options: Type.Object({}),
      open: () => ({ models: () => new Promise(() => undefined), chat() { throw new Error("never asked"); } }) });`;
  using folder = folderWith({ hello: HELLO }, `${SERVER}${KEYS}`);
  folder.write("slow.ts", slow);
  const yaml = await Bun.file(folder.config).text();
  folder.write("gateway.yaml", yaml.replace("upstreams:\n", "upstreams:\n  slow: { plugin: ./slow.ts }\n"));
  await using gateway = startMain(folder, CONFIGURED);
  await gateway.listening();
  expect(gateway.stdout).toContain("models   hello, and those of upstreams that haven't answered yet\n");
});

test("a configured key is used, and never shown, not even at the most talkative level", async () => {
  using folder = folderWith({ hello: HELLO }, `${SERVER}${KEYS}telemetry: { level: debug, log: json }\n`);
  await using gateway = startMain(folder, CONFIGURED);
  const url = await gateway.listening();
  expect(gateway.stdout).toContain("master");
  const line = gateway.stdout.replace("YOUR_KEY", KEY);
  expect(line).not.toBe(gateway.stdout);
  expect(textOf(parseFrames(await runTryLine(line)))).toBe("Hello, world");
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

const SAD_PLUGIN = `
  import { definePlugin, Type } from "modelyard/plugin";
  export default definePlugin({
    apiVersion: 1, name: "sad", options: Type.Object({}),
    open() { throw new Error("not today"); },
  });
`;
