import { expect, test } from "bun:test";
import { join } from "node:path";
import { CodeProcess, GatewayFolder } from "../support/gateway-process.ts";
import { jsonAnswer, openaiChunks, sseAnswer, startFaultUpstream } from "../support/fault-upstream.ts";

/**
 * What the commands do with an upstream whose list needs `start()`, and what `plugin record` keeps of addresses.
 * @module
 */
const LATE = join(import.meta.dir, "../support/plugins/late-list.ts");
const LATE_YAML = `upstreams: { late: { plugin: ${JSON.stringify(LATE)}, timeouts: { first_event: 3s } } }\n`;

async function modelyard({ config }: GatewayFolder, ...words: readonly string[]) {
  await using process = new CodeProcess("src/cli/main.ts", [...words, "--config", config]);
  return await process.ended(20_000);
}

test("`plugin record` starts an upstream before it asks for its models", async () => {
  using folder = new GatewayFolder(LATE_YAML);
  const { code, stdout, stderr } = await modelyard(folder, "plugin", "record", "late", "--prompt", "hi");
  expect(stderr).toBe("");
  expect(stdout).toContain('frames of "late" (late-1) are in');
  expect(code).toBe(0);
}, 30_000);

test("`explain` starts nothing, says what it waits for, and why there is no list", async () => {
  using folder = new GatewayFolder(LATE_YAML);
  const { code, stdout, stderr } = await modelyard(folder, "explain", "--model", "late/any");
  expect(stderr).toContain("waiting for the lists of models of late, at most 3 s");
  expect(stdout).toContain("; it is not started here, the running gateway may have one");
  expect(stdout).toContain("  1. late/any\n");
  expect(code).toBe(0);
}, 30_000);

const UNSTARTED = `import { definePlugin, Type, UpstreamError } from "modelyard/plugin";
export default definePlugin({
  apiVersion: 1,
  name: "unstarted",
  options: Type.Object({}),
  open: () => ({
    start() {},
    async models() { throw new UpstreamError("unavailable", "nobody has signed in"); },
    async *chat() { yield { type: "finish", reason: "stop" }; },
  }),
});`;

test("`explain` says that a name may be on a list that can't be had before the start", async () => {
  using folder = new GatewayFolder("upstreams: { pool: { plugin: ./unstarted.ts } }\n", {
    "unstarted.ts": UNSTARTED,
  });
  const { code, stdout } = await modelyard(folder, "explain", "--model", "one");
  expect(stdout).toContain("no list of models from pool: nobody has signed in; it is not started here");
  expect(stdout).toContain("unless pool lists it, which is not started here");
  expect(code).toBe(1);
}, 30_000);

test("`explain` says why there is no list, also of an upstream that is started", async () => {
  await using upstream = await startFaultUpstream();
  upstream.respond = (exchange) => exchange.send(jsonAnswer({ error: { message: "no such key" } }, 401));
  const options = { base_url: `${upstream.url}/v1`, api_key: "sk-wrong-0123456789" };
  using folder = new GatewayFolder(`upstreams: ${JSON.stringify({ sea: { plugin: "openai", options } })}\n`);
  const { stdout } = await modelyard(folder, "explain", "--model", "sea/m");
  expect(stdout).toMatch(/no list of models from sea: .*no such key/);
  expect(stdout).not.toContain("not started");
}, 30_000);

test("`plugin record` keeps no value of the options out of an address, nor where it is said back", async () => {
  await using upstream = await startFaultUpstream();
  const values = {
    "api-version": "2024-10-21",
    subscription: "s3cr3t+value/of=mine",
    code: "onlyletterswhere",
  };
  upstream.respond = (exchange) =>
    exchange.send(sseAnswer(openaiChunks(`I know ${values.subscription} of you`, { units: 200 })));
  const options = { base_url: `${upstream.url}/v1`, query: values, models: ["m"] };
  using folder = new GatewayFolder(`upstreams: ${JSON.stringify({ sea: { plugin: "openai", options } })}\n`);
  const { code, stderr } = await modelyard(folder, "plugin", "record", "sea", "--prompt", "hi");
  expect([code, stderr]).toEqual([0, ""]);
  const text = await Bun.file(join(folder.path, "recordings/sea.json")).text();
  expect(text).toContain("/v1/chat/completions?api-version=");
  for (const value of [values.subscription, values.code])
    for (const form of [value, encodeURIComponent(value)]) expect(text).not.toContain(form);
  expect(await modelyard(folder, "canary", "sea")).toMatchObject({ code: 0 });
}, 60_000);
