import { afterAll, beforeAll, expect, spyOn, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { plugin } from "./plugin.ts";
import { pluginTest } from "./plugin-test.ts";

const folder = mkdtempSync(join(tmpdir(), "plugin-test-"));
const printed: string[] = [];
const printing = (["log", "error"] as const).map((name) =>
  spyOn(console, name).mockImplementation((line: unknown) => void printed.push(String(line))),
);

const PLUGIN = `
import { definePlugin, Type } from "modelyard/plugin";
export default definePlugin({
  apiVersion: 1,
  name: "mute",
  options: Type.Object({ volume: Type.Integer({ default: 0 }) }, { additionalProperties: false }),
  open: (_, host) => ({ models: async () => (await host.fetch("https://far.example/models")).json(), async *chat() {} }),
});`;

const FIXTURES = `
export default {
  model: "mute",
  upstream: () => ({ options: {}, received: [], [Symbol.asyncDispose]: async () => {} }),
};`;

beforeAll(() => {
  writeFileSync(join(folder, "index.ts"), PLUGIN);
  writeFileSync(join(folder, "conformance.ts"), FIXTURES);
  writeFileSync(join(folder, "alone.ts"), "export default {};");
  writeFileSync(
    join(folder, "misspelt.ts"),
    `${FIXTURES.replace("model:", "unsupported: { tolls: 'none' }, model:")}`,
  );
});

afterAll(() => {
  for (const spy of printing) spy.mockRestore();
  rmSync(folder, { recursive: true });
});

async function said(...argv: string[]): Promise<{ code: number; text: string }> {
  printed.length = 0;
  const code = await pluginTest(argv);
  return { code, text: printed.join("\n") };
}

test("a plugin that breaks a rule ends with 1, and what, why and where", async () => {
  const { code, text } = await said(folder, "--only", "6.3");
  expect(code).toBe(1);
  expect(text).toContain("✗ 6.3 described: every option is described");
  expect(text).toContain("but:   without a description: options.volume");
  expect(text).toContain("look:  docs/plugins.md#options");
});

test("one that keeps the rules that are asked for ends with 0", async () => {
  const { code, text } = await said(join(folder, "index.ts"), "--only", "6.2");
  expect({ code, text }).toEqual({ code: 0, text: expect.stringContaining("1 kept, 0 broken") as string });
});

test("fixtures anywhere get modelyard/conformance from the gateway", async () => {
  const text = `import { RULES } from "modelyard/conformance";\nif (RULES.length === 0) throw "none";`;
  writeFileSync(join(folder, "helped.ts"), `${text}\n${FIXTURES}`);
  const { code } = await said(folder, "--fixtures", join(folder, "helped.ts"), "--only", "6.2");
  expect(code).toBe(0);
});

test("an address that isn't this machine's is refused, and named", async () => {
  const { text } = await said(folder, "--only", "6.6");
  expect(text).toContain("the kit is offline, and the plugin asks https://far.example/models");
});

test("a rule's number means that rule alone", async () => {
  const { text } = await said(folder, "--only", "2.1");
  expect(text).toContain("2.1 events");
  expect(text).not.toContain("2.10");
});

test("--help ends with 0, and names --only", async () => {
  const { code, text } = await said("--help");
  expect({ code, text }).toEqual({ code: 0, text: expect.stringContaining("[--only RULE]") as string });
});

test.each(["--help", "new --help", "test --help", "record --help"])(
  "`plugin %s` says how it is used, and ends with 0",
  async (asked) => {
    printed.length = 0;
    expect(await plugin(asked.split(" "))).toBe(0);
    expect(printed.join("\n")).toStartWith("usage: bun run modelyard plugin");
  },
);

test.each([
  [[], "usage:"],
  [["--loud"], "usage:"],
  [[join(folder, "nowhere")], "nowhere"],
  [[folder, "--fixtures", join(folder, "none.ts")], "there are no fixtures"],
  [[folder, "--fixtures", join(folder, "alone.ts")], "has no fixtures as its default export"],
  [[folder, "--fixtures", join(folder, "misspelt.ts")], '"tolls", which is no scenario and no rule'],
  [[folder, "--only", "9"], "there is no rule 9"],
] as [string[], string][])("nothing to test (%j) ends with 2, and says why", async (argv, why) => {
  const { code, text } = await said(...argv);
  expect({ code, text }).toEqual({ code: 2, text: expect.stringContaining(why) as string });
});
