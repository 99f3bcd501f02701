import { describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LEVELS, RULES } from "modelyard/conformance";
import * as credentials from "modelyard/credentials";
import * as kit from "modelyard/kit";
import { FAILURES } from "modelyard/plugin";
import { CodeProcess } from "../support/gateway-process.ts";
import { anchors, blocks, guide, links, table } from "./page.ts";

/**
 * The guide for authors is in step with the code: its tables, the files that it quotes and the commands it names.
 * @module
 */
const ROOT = join(import.meta.dir, "../..");
const page = await read("docs/plugins.md");
const code = blocks(await guide()).filter(({ language }) => language === "ts");

function read(path: string): Promise<string> {
  return Bun.file(join(ROOT, path)).text();
}

/** What the command line says of how it is used. */
async function usageOf(...parameters: readonly string[]): Promise<string> {
  await using child = new CodeProcess("src/cli/main.ts", parameters);
  const { stdout, stderr } = await child.ended(30_000);
  return stdout + stderr;
}

test("every failure is there as the contract has it, and no other", () => {
  const failures = Object.entries(FAILURES).map(([name, failure]) => [
    `\`${name}\``,
    String(failure.status),
    `\`${failure.wire}\``,
    failure.mayTryNext ? "yes" : "no",
    failure.blame,
    failure.counts,
    failure.meaning,
  ]);
  expect(table(page, "code", "status", "for the client")).toEqual(failures);
});

test.each([
  ["docs/plugins.md", kit],
  ["docs/plugins-credentials.md", credentials],
])("every name of its entry of the package is in %s, and no other", async (path, entry) => {
  const names = table(await read(path), "name", "when").flatMap(([cell = ""]) => cell.split(", "));
  const exported = Object.keys(entry).map((name) => `\`${name}\``);
  expect(names.toSorted()).toEqual(exported.toSorted());
});

test("every step of the pipeline is there, in its order, and no other", async () => {
  const pipeline = await read("src/pipeline/generate.ts");
  const [, own = ""] = /async function generate\([^]*?\{\n([^]*?)\n\}\n/.exec(pipeline) ?? [];
  const steps = [...pipeline.matchAll(/import \{ ([^}]*) \} from "\.\//g)]
    .flatMap(([, names = ""]) => names.split(", "))
    .filter((name) => own.includes(`${name}(`))
    .sort((one, other) => own.indexOf(`${one}(`) - own.indexOf(`${other}(`));
  const told = table(page, "step", "what happens").map(([cell = ""]) => cell.replaceAll("`", ""));
  // The steps take a caller that the server has authenticated.
  expect(told.slice(1)).toEqual(steps);
  expect(told[0]).toBe("authenticate");
});

test("every level of the conformance kit is there, and the number of its rules", () => {
  const levels = table(page, "level", "is about").map(([level, about]) => [level, about]);
  expect(levels).toEqual(Object.entries(LEVELS));
  expect(page).toContain(`to ${RULES.length} rules`);
});

describe("what the kit says of where to look", () => {
  const parts = [...new Set(RULES.map(({ look }) => look))];

  test.each(parts)("%s is there", (look) => {
    const [file, anchor] = look.split("#");
    expect(file).toBe("docs/plugins.md");
    expect(anchors(page)).toContain(anchor ?? "");
  });

  test.each(Object.keys(LEVELS).map(Number))("the table of levels leads there from level %p", (level) => {
    const [, , cell = ""] =
      table(page, "level", "is about").find(([number]) => number === String(level)) ?? [];
    const own = RULES.filter((rule) => rule.level === level).map(({ look }) => look.split("#")[1] ?? "");
    expect(links(cell).toSorted()).toEqual([...new Set(own)].map((part) => `#${part}`).toSorted());
  });
});

test("the list at the top names every part, in order", () => {
  const parts = anchors(page.replaceAll(/^### .*$/gm, "")).slice(1);
  expect(links(page.slice(0, page.indexOf("Beside it")))).toEqual(parts.map((part) => `#${part}`));
});

test("the files of the examples are quoted as they are", async () => {
  const quoted = code.filter(({ file }) => file?.startsWith("examples/"));
  expect(quoted.map(({ file }) => file)).toEqual([
    "examples/sse/events.ts",
    "examples/websocket/index.ts",
    "examples/sse/conformance.ts",
    "examples/sse/conformance.test.ts",
  ]);
  for (const { file = "", text } of quoted) expect(text).toBe(`// ${file}\n${await read(file)}`);
});

test("the commands exist", async () => {
  const usage = (await usageOf()) + (await usageOf("plugin"));
  const named = [...page.matchAll(/bun run modelyard ((?:plugin )?[\w-]+)/g)].map(
    ([, command = ""]) => command,
  );
  expect(new Set(named)).toEqual(new Set(["plugin new", "plugin test", "plugin record", "canary", "check"]));
  for (const command of named)
    expect(usage).toMatch(new RegExp(`^ +(bun run modelyard )?${command}\\b`, "m"));
  const { scripts } = JSON.parse(await read("package.json")) as { scripts: Record<string, string> };
  expect(scripts["modelyard"]).toContain("src/cli/main.ts");
});

test("editors get types outside the checkout, and each plugin in the guide fits them", async () => {
  const folder = mkdtempSync(join(tmpdir(), "modelyard-types-"));
  try {
    symlinkSync(ROOT, join(folder, "modelyard"));
    const mine = join(folder, "mine");
    mkdirSync(mine);
    const whole = code.filter(({ file }) => file !== undefined && !file.includes("/"));
    expect(whole.map(({ file }) => file)).toEqual([
      "parrot.ts",
      "answers.ts",
      "relay.ts",
      "visits.ts",
      "jobs.ts",
      "tickets.ts",
    ]);
    for (const { file = "", text } of whole) await Bun.write(join(mine, file), text);
    const [fixtures] = code.filter(({ file }) => file === "examples/sse/conformance.ts");
    await Bun.write(join(mine, "conformance.ts"), fixtures?.text ?? "");
    const settings = blocks(page).find(({ language }) => language === "json")?.text ?? "";
    await Bun.write(join(mine, "tsconfig.json"), settings);
    const compiler = join(ROOT, "node_modules/.bin/tsc");
    const check = Bun.spawn([compiler, "--noEmit", "-p", mine], { stdout: "pipe" });
    expect(await new Response(check.stdout).text()).toBe("");
    expect(await check.exited).toBe(0);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}, 60_000);

test("no block of code is left untested", () => {
  expect(code.filter(({ file }) => file === undefined)).toEqual([]);
});
