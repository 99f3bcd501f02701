import { afterAll, beforeAll, expect, jest, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PluginError } from "./plugin-error.ts";
import { loadPlugin } from "./resolve.ts";

let folder = "";

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "modelyard-plugins-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const GOOD = `
  import { definePlugin, Type, UpstreamError } from "modelyard/plugin";
  import { sse } from "modelyard/kit";
  import { ApiKeys } from "modelyard/credentials";
  export default definePlugin({
    apiVersion: 1, name: "mine", options: Type.Object({}),
    open: () => ({ models: async () => [{ id: typeof sse + typeof ApiKeys }], chat() { throw new UpstreamError("failed", "x"); } }),
  });`;

const pluginCalled = (name: string) => `
  import { Type } from "modelyard/plugin";
  export default definePlugin({
    apiVersion: 1, name: "${name}", options: Type.Object({}),
    open: () => ({ models: async () => [], chat() { throw new Error("never asked"); } }),
  });`;

async function refused(name: string): Promise<PluginError> {
  try {
    await loadPlugin(name, folder);
  } catch (error) {
    if (error instanceof PluginError) return error;
    throw error;
  }
  throw new Error("it was loaded");
}

function write(name: string, text: string): string {
  writeFileSync(join(folder, name), text);
  return `./${name}`;
}

test("a TypeScript file anywhere gets plugin, kit and credentials from the gateway", async () => {
  const plugin = await loadPlugin(write("good.ts", GOOD), folder);
  expect(plugin.name).toBe("mine");
  expect((await loadPlugin(join(folder, "good.ts"), "/")).name).toBe("mine");
});

test("an npm package is found from the folder of gateway.yaml", async () => {
  // A folder of its own: Bun remembers which folders had no node_modules.
  const elsewhere = join(folder, "elsewhere");
  const home = join(elsewhere, "node_modules/@some/upstream");
  mkdirSync(home, { recursive: true });
  writeFileSync(
    join(home, "package.json"),
    `{"name":"@some/upstream","type":"module","exports":"./index.ts"}`,
  );
  writeFileSync(join(home, "index.ts"), GOOD);
  expect((await loadPlugin("@some/upstream", elsewhere)).name).toBe("mine");
});

test("what can't be found is named, with the name that was meant", async () => {
  expect((await refused("./nowhere.ts")).message).toContain("there is no plugin file");
  const error = await refused("ecco");
  expect(error.message).toContain("neither a built-in plugin");
  expect(error.hint).toContain("did you mean");
});

test.each([
  ["mine.ts", "./mine.ts"],
  ["folder/mine.mjs", "./folder/mine.mjs"],
  ["my-own-upstream", "./my-own-upstream.ts"],
])("of %s, which may be meant as a file, the hint says to write %s", async (name, path) => {
  expect((await refused(name)).hint).toStartWith(`write ${path} for a file`);
});

test("a folder, and a package without an entry, are refused", async () => {
  mkdirSync(join(folder, "a-folder"));
  expect((await refused("./a-folder")).hint).toContain("index.ts");
  mkdirSync(join(folder, "empty/node_modules/hollow"), { recursive: true });
  writeFileSync(join(folder, "empty/node_modules/hollow/package.json"), `{"name":"hollow"}`);
  const loading = loadPlugin("hollow", join(folder, "empty"));
  await expect(loading).rejects.toThrow("has no entry that can be loaded");
});

test("the gateway's own modules are used, whatever copy lies beside the plugin, also by files it imports", async () => {
  const home = join(folder, "with-copy");
  const copy = join(home, "node_modules/modelyard");
  mkdirSync(copy, { recursive: true });
  const entries = `{"./plugin":"./a.ts","./kit":"./a.ts"}`;
  writeFileSync(join(copy, "package.json"), `{"name":"modelyard","type":"module","exports":${entries}}`);
  writeFileSync(join(copy, "a.ts"), `throw new Error("the copy was loaded");`);
  writeFileSync(join(home, "part.ts"), `export { definePlugin } from "modelyard/plugin";`);
  writeFileSync(join(home, "mine.ts"), `import { definePlugin } from "./part.ts";\n${pluginCalled("part")}`);
  expect((await loadPlugin("./mine.ts", home)).name).toBe("part");
});

test("a syntax error is reported with file, line and column, in an imported file too", async () => {
  const place = /syntax\.ts:2:\d+: /;
  expect((await refused(write("syntax.ts", "export default {\n  name: ,\n}"))).message).toMatch(place);
  const outer = write("outer.ts", `import "./syntax.ts";`);
  expect((await refused(outer)).message).toMatch(place);
});

test("what is thrown while a file is loaded is reported with its place", async () => {
  const error = await refused(write("throws.ts", `\n  throw new Error("no licence");`));
  expect(error.message).toMatch(/throws\.ts:2:\d+: no licence$/);
  expect((await refused(write("text.ts", `throw "a text";`))).message).toContain("it throws a text");
});

test("a missing package is named with the line that imports it, and with how to install it", async () => {
  const error = await refused(write("missing.ts", `\nimport "@nobody/has-this/part";`));
  expect(error.message).toMatch(/missing\.ts:2:8: .*"@nobody\/has-this\/part", which is not installed$/);
  expect(error.hint).toBe(`run \`bun add @nobody/has-this\` in ${folder}`);
});

test.each([
  ["file.ts", `import "./nowhere.ts";`, `file.ts:1:8: it imports "./nowhere.ts", which doesn't exist`],
  ["node.ts", `import "node:nothing";`, `"node:nothing", which Bun doesn't have`],
  ["ours.ts", `import "modelyard/host";`, `"modelyard/host", which doesn't exist`],
  ["name.ts", `export { Foo } from "modelyard/plugin";`, "'Foo' not found in"],
])("%s, which imports what isn't there, is refused with what it was", async (name, text, message) => {
  expect((await refused(write(name, text))).message).toContain(message);
});

test("a file that waits for ever at its top level is given up", async () => {
  const file = write("waits.ts", "await new Promise(() => undefined);\nexport default 1;");
  jest.useFakeTimers();
  try {
    const loading = refused(file);
    jest.advanceTimersByTime(10_000);
    expect((await loading).message).toContain("it took longer than 10 s: nothing may be waited for");
  } finally {
    jest.useRealTimers();
  }
});

test.each([
  ["nothing.ts", "export const a = 1;", "no plugin as its default export"],
  ["version.ts", "export default { apiVersion: 2 };", "apiVersion 2, this gateway speaks 1"],
  ["unversioned.ts", "export default { name: 'x' };", "doesn't say which apiVersion"],
  ["named.ts", "export default { apiVersion: 1, name: 'My plugin' };", "`name` must be a text of lower case"],
  ["parts.ts", "export default { apiVersion: 1, name: 'x' };", "`options` must be a schema"],
  [
    "json.ts",
    "export default { apiVersion: 1, name: 'x', options: { type: 'object' } };",
    "`options` must be",
  ],
  ["shut.ts", "export default { apiVersion: 1, name: 'x' };", "`open` must be a function"],
])("%s is refused with what is wrong", async (name, text, message) => {
  expect((await refused(write(name, text))).message).toContain(message);
});
