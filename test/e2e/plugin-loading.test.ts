import { expect, test } from "bun:test";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { CodeProcess, GatewayFolder, startMain } from "../support/gateway-process.ts";
import { ask, CONFIGURED, KEYS, SERVER } from "../support/process-settings.ts";
import { parseFrames, textOf } from "../support/sse-frames.ts";

/**
 * What becomes of upstreams whose plugins are broken, as people see it: the report before the start, and what is
 * served all the same.
 * @module
 */
interface Parts {
  readonly name?: string;
  /** Statements of `open`. */
  readonly open?: string;
  /** More members of the upstream. */
  readonly members?: string;
}

/** A plugin's file; its only model is called as the plugin is. */
function pluginFile({ name = "good", open = "", members = "" }: Parts = {}): string {
  return `import { definePlugin, Type } from "modelyard/plugin";
export default definePlugin({
  apiVersion: 1, name: "${name}",
  options: Type.Object({ size: Type.Optional(Type.Number()) }, { additionalProperties: false }),
  async open() {
    ${open}
    return {
      models: async () => [{ id: "${name}" }],
      async *chat() { yield { type: "text", text: "${name}" }; yield { type: "finish", reason: "stop" }; },
      ${members}
    };
  },
});`;
}

/** A gateway.yaml with these upstreams, the first on line 4. */
function folderOf(upstreams: readonly string[], files: Readonly<Record<string, string>>): GatewayFolder {
  return new GatewayFolder(`${SERVER}${KEYS}upstreams:\n  ${upstreams.join("\n  ")}\n`, {
    "good.ts": pluginFile(),
    ...files,
  });
}

async function check(folder: GatewayFolder) {
  await using checking = new CodeProcess("src/cli/main.ts", ["check", "--config", folder.config]);
  return await checking.ended(20_000);
}

const OPEN_THROWS = pluginFile({ name: "shut", open: `throw new Error("no licence");` });
const START_THROWS = pluginFile({ name: "unstarted", members: `start() { throw new Error("no luck"); },` });

test("every broken plugin is in one report, each with the line of gateway.yaml and of the file", async () => {
  using folder = folderOf(
    [
      "syntax: { plugin: ./syntax.ts }",
      "bare: { plugin: ./bare.ts }",
      "newer: { plugin: ./newer.ts }",
      "lacking: { plugin: ./lacking.ts }",
      "options: { plugin: ./good.ts, options: { size: large } }",
      "same: { plugin: ./good.ts }",
      "namesake: { plugin: ./namesake.ts }",
      "package: { plugin: not-installed-here }",
    ],
    {
      "syntax.ts": "export default {\n  name: ,\n}",
      "bare.ts": "export const a = 1;",
      "newer.ts": "export default { apiVersion: 2 };",
      "lacking.ts": `import "not-installed-there";`,
      "namesake.ts": pluginFile(),
    },
  );
  const { code, stderr } = await check(folder);
  expect(code).toBe(1);
  const said = [
    /yaml:4:\d+ upstreams.syntax.plugin: .*syntax.ts:2:\d+: /,
    /yaml:5:\d+ upstreams.bare.plugin: .*bare.ts has no plugin as its default export/,
    /yaml:6:\d+ upstreams.newer.plugin: .*apiVersion 2, this gateway speaks 1\n +update the gateway/,
    /yaml:7:\d+ upstreams.lacking.plugin: .*lacking.ts:1:8: .* is not installed\n +run `bun add not-installed-there` in /,
    /yaml:8:\d+ upstreams.options.options.size: /,
    /yaml:10:\d+ upstreams.namesake.plugin: .*"good", and so does .\/good.ts of the upstream "options"/,
    /yaml:11:\d+ upstreams.package.plugin: "not-installed-here" is neither a built-in/,
  ];
  for (const line of said) expect(stderr).toMatch(line);
  expect(stderr).toStartWith(`${said.length} problems in`);
});

test("a throw in open is told with its line, and ends the start", async () => {
  using folder = folderOf(["good: { plugin: ./good.ts }", "shut: { plugin: ./shut.ts }"], {
    "shut.ts": OPEN_THROWS,
  });
  await using gateway = startMain(folder, CONFIGURED);
  const { code, stderr } = await gateway.ended();
  expect(code).toBe(1);
  expect(stderr).toMatch(/the upstream "shut" can't be opened: no licence \(.*shut\.ts:6:\d+\)\n$/);
});

test("of optional upstreams the broken ones are told, and the others serve", async () => {
  using folder = folderOf(
    [
      "syntax: { plugin: ./syntax.ts, optional: true }",
      "absent: { plugin: ./absent.ts, optional: true }",
      "shut: { plugin: ./shut.ts, optional: true }",
      "unstarted: { plugin: ./unstarted.ts, optional: true }",
      "good: { plugin: ./good.ts }",
    ],
    { "syntax.ts": "export default {", "shut.ts": OPEN_THROWS, "unstarted.ts": START_THROWS },
  );
  await using gateway = startMain(folder, CONFIGURED);
  const url = await gateway.listening();
  expect(textOf(parseFrames(await (await ask(url, "good")).text()))).toBe("good");
  gateway.signal("SIGTERM");
  const { stderr } = await gateway.ended();
  expect(stderr).toMatch(/plugin can't be loaded; the others serve.*syntax.*yaml:4:.*syntax\.ts:1:\d+/);
  expect(stderr).toMatch(/plugin can't be loaded; the others serve.*absent.*there is no plugin file/);
  expect(stderr).toMatch(/can't be opened; the others serve.*shut.*no licence/);
  expect(stderr).toMatch(/can't be started; the others serve.*unstarted.*no luck/);
  const checked = await check(folder);
  expect(checked.code).toBe(1);
  expect(checked.stdout).toContain("would serve, but not whole: 2 of 5 upstreams open (unstarted, good)");
  expect(checked.stderr).toContain("there is no plugin file");
});

test("options that don't fit are an error of an optional upstream, too", async () => {
  using folder = folderOf(["good: { plugin: ./good.ts, optional: true, options: { size: large } }"], {});
  const { code, stderr } = await check(folder);
  expect([code, stderr]).toEqual([1, expect.stringContaining("upstreams.good.options.size")]);
});

test("a plugin may lie in a folder elsewhere, with files and packages of its own", async () => {
  using elsewhere = new GatewayFolder("", { "part.ts": `export { word } from "wordy";` });
  const home = join(elsewhere.path, "node_modules/wordy");
  mkdirSync(home, { recursive: true });
  await Bun.write(join(home, "package.json"), `{ "name": "wordy", "type": "module", "main": "index.js" }`);
  await Bun.write(join(home, "index.js"), `export const word = "elsewhere";`);
  elsewhere.write(
    "mine.ts",
    `import { word } from "./part.ts";\n${pluginFile({ name: "mine", members: "status: () => word," })}`,
  );
  using folder = folderOf([`mine: { plugin: ${elsewhere.path}/mine.ts }`, "again: { plugin: ./link.ts }"], {
    "link.ts": `export { default } from "${elsewhere.path}/mine.ts";`,
  });
  await using gateway = startMain(folder, CONFIGURED);
  const url = await gateway.listening();
  for (const model of ["mine/mine", "again/mine"]) expect((await ask(url, model)).status).toBe(200);
});
