import { expect, test } from "bun:test";
import { CodeProcess, GatewayFolder } from "../support/gateway-process.ts";
import { KEYS, SERVER } from "../support/process-settings.ts";

/** Waits for the real deadline of `open`, 10 s. */
const PLUGIN = `import { definePlugin, Type } from "modelyard/plugin";
export default definePlugin({
  apiVersion: 1, name: "hung", options: Type.Object({}),
  async open() { setInterval(() => 0, 1000); await new Promise(() => 0); },
});`;

test("an open that hangs is given up, and check ends although the plugin's timer goes on", async () => {
  const upstreams = "hung: { plugin: ./hung.ts, optional: true }\n  good: { plugin: echo }";
  using folder = new GatewayFolder(`${SERVER}${KEYS}upstreams:\n  ${upstreams}\n`, { "hung.ts": PLUGIN });
  await using command = new CodeProcess("src/cli/main.ts", ["check", "--config", folder.config]);
  const { code, stdout, stderr } = await command.ended(20_000);
  expect(code).toBe(1);
  expect(stderr).toContain("open() may only check and build");
  expect(stdout).toContain("1 of 2 upstreams open (good)");
}, 40_000);
