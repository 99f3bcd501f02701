import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RULES } from "modelyard/conformance";
import { CodeProcess, GatewayFolder } from "../support/gateway-process.ts";
import { ask } from "../support/process-settings.ts";
import { parseFrames, textOf } from "../support/sse-frames.ts";
import { until } from "../support/until.ts";

/**
 * What somebody does who has nothing but the package: install it, write a plugin, test it, serve it, call it.
 * @module
 */
const ROOT = join(import.meta.dir, "../..");
const KINDS = readdirSync(join(ROOT, "src/cli/scaffold"), { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && entry.name !== "common")
  .map((entry) => entry.name)
  .sort();
/** The rules of cancelling and leaks that don't apply where answers come whole. */
const NEED_A_STREAM = ["4.4 paused", "4.6 return"];
/** Of one command, on a machine that others use, too. */
const PATIENCE_MS = 120_000;
/** The key in the scaffold's gateway.yaml. */
const KEY = "sk-try-it";

let folder = "";
let tarball = "";
let command = "";

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "modelyard-stranger-"));
  await run(["bun", "pm", "pack", "--destination", folder, "--quiet"], ROOT);
  tarball = join(folder, readdirSync(folder)[0] ?? "");
  await Bun.write(join(folder, "home/package.json"), `{ "name": "home", "private": true }`);
  await run(["bun", "add", tarball], join(folder, "home"));
  command = join(folder, "home/node_modules/modelyard/src/cli/main.ts");
}, PATIENCE_MS);
afterAll(() => rmSync(folder, { recursive: true, force: true }), PATIENCE_MS);

/** What a command prints; one that fails is an error. */
async function run(words: readonly string[], cwd: string): Promise<string> {
  const [name = "", ...rest] = words;
  const program = name === "bun" ? process.execPath : name;
  const child = Bun.spawn([program, ...rest], { cwd, stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [out, problems] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  if ((await child.exited) !== 0) throw new Error(`${words.join(" ")} failed:\n${out}${problems}`);
  return out + problems;
}

test.each(KINDS)(
  "from nothing, a plugin of the kind %s is written, passes its test, is served and answers",
  async (kind) => {
    const began = performance.now();
    const home = join(folder, `try-${kind}`);
    await run(["bun", command, "plugin", "new", `try-${kind}`, "--kind", kind, "--dir", home], folder);
    await run(["bun", "install"], home);
    const tested = await run(["bun", "test"], home);
    expect(tested).toMatch(/ [1-9]\d* pass\n 0 fail\n/);
    expect(skipped(tested).filter((id) => id.startsWith("4."))).toEqual(kind === "http" ? NEED_A_STREAM : []);
    expect(skipped(tested).length).toBeLessThan(RULES.length / 3);
    await using emulator = new CodeProcess(join(home, "emulator.ts"), ["0"], { cwd: home });
    const upstream = () => /listens on (http\S+)\/\n/.exec(emulator.stdout)?.[1];
    await until(() => upstream() !== undefined, "the emulator to listen", 10_000);
    const environment = { PORT: "0", UPSTREAM_URL: upstream() ?? "" };
    await using gateway = new CodeProcess(command, ["serve"], { cwd: home, environment });
    const answer = await ask(await gateway.listening(), "small", { key: KEY });
    expect(textOf(parseFrames(await answer.text()))).toBe("You said: Well?");
    console.log(`a plugin for ${kind}, from nothing to its first answer: ${seconds(began)} s`);
    await run([join(ROOT, "node_modules/.bin/tsc"), "--noEmit", "-p", home], home);
  },
  PATIENCE_MS,
);

/** The rules that didn't apply, by their ids. */
function skipped(tested: string): string[] {
  return [...tested.matchAll(/^– (\S+ \S+) doesn't apply/gm)].map(([, id = ""]) => id);
}

function seconds(since: number): string {
  return ((performance.now() - since) / 1000).toFixed(1);
}

test("the package holds neither tests nor what only its own development needs", () => {
  const home = join(folder, "home/node_modules/modelyard");
  const files = readdirSync(home, { recursive: true, encoding: "utf8" });
  expect(files.filter((file) => /\.test\.ts$|\/fixtures\/|^test\/|^bun\.lock$|^deploy/.test(file))).toEqual(
    [],
  );
  expect(files).toContain("LICENSE");
});

test("publint finds nothing to say about the package", async () => {
  const publint = join(ROOT, "node_modules/.bin/publint");
  expect(await run(["bun", publint, "run", tarball, "--strict"], folder)).toContain("All good!");
});

test.each([
  [["Bad Name"], 1, "is no plugin's name"],
  [["fine", "--kind", "carrier-pigeon"], 1, `there are ${KINDS.join(", ")}`],
  [["fine", "--dir", "."], 1, "exists already"],
  [[], 2, "usage:"],
])("plugin new %p is refused, with what is wrong", async (words, code, message) => {
  using elsewhere = new GatewayFolder("");
  await using refused = new CodeProcess("src/cli/main.ts", ["plugin", "new", ...words], {
    cwd: elsewhere.path,
  });
  const ended = await refused.ended();
  expect([ended.code, ended.stderr]).toEqual([code, expect.stringContaining(message)]);
  expect(readdirSync(elsewhere.path)).toEqual(["gateway.yaml"]);
});
