import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadPlugin, PluginError } from "./resolve.ts";

let folder = "";

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "modelyard-plugins-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const GOOD = `
  import { definePlugin, Type, UpstreamError } from "modelyard/plugin";
  import { sse } from "modelyard/kit";
  export default definePlugin({
    apiVersion: 1, name: "mine", options: Type.Object({}),
    open: () => ({ models: async () => [{ id: typeof sse }], chat() { throw new UpstreamError("failed", "x"); } }),
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

test("a TypeScript file anywhere gets modelyard/plugin and modelyard/kit from the gateway", async () => {
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

test("a syntax error is reported with file, line and column", async () => {
  expect((await refused(write("syntax.ts", "export default {\n  name: ,\n}"))).message).toMatch(
    /syntax\.ts:2:\d+/,
  );
});

test("a throw while loading, and a missing package, are reported with their own words", async () => {
  expect((await refused(write("throws.ts", `throw new Error("no licence");`))).message).toContain(
    "no licence",
  );
  expect((await refused(write("missing.ts", `import "not-installed-anywhere";`))).message).toContain(
    "not-installed-anywhere",
  );
});

test.each([
  ["nothing.ts", "export const a = 1;", "no plugin as its default export"],
  ["version.ts", "export default { apiVersion: 2 };", "apiVersion 2, this gateway speaks 1"],
  ["parts.ts", "export default { apiVersion: 1, name: 'x' };", "options, open"],
])("%s is refused with what is wrong", async (name, text, message) => {
  expect((await refused(write(name, text))).message).toContain(message);
});
