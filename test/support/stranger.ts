import { expect } from "bun:test";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RULES } from "modelyard/conformance";
import { CodeProcess } from "./gateway-process.ts";
import { ask } from "./process-settings.ts";
import { parseFrames, textOf } from "./sse-frames.ts";
import { until } from "./until.ts";

const ROOT = join(import.meta.dir, "../..");
/** The kinds of plugins that `plugin new` writes. */
export const KINDS = readdirSync(join(ROOT, "toolkit/scaffold"), { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && entry.name !== "common")
  .map((entry) => entry.name)
  .sort();
/** The rules of cancelling and leaks that don't apply where answers come whole. */
const NEED_A_STREAM = ["4.4 paused", "4.6 return"];
/** Of one command, on a machine that others use, too. */
export const PATIENCE_MS = 120_000;
/** The key in the scaffold's gateway.yaml. */
const KEY = "sk-try-it";

/** A folder where somebody has installed the package, and has nothing else of the project. */
export interface Stranger extends Disposable {
  readonly folder: string;
  readonly tarball: string;
  /** The installed `modelyard` command. */
  readonly command: string;
}

/** Packs the package and installs it in a new folder. */
export async function installPackage(): Promise<Stranger> {
  const folder = mkdtempSync(join(tmpdir(), "modelyard-stranger-"));
  await run(["bun", "pm", "pack", "--destination", folder, "--quiet"], ROOT);
  const tarball = join(folder, readdirSync(folder)[0] ?? "");
  await Bun.write(join(folder, "home/package.json"), `{ "name": "home", "private": true }`);
  await run(["bun", "add", tarball], join(folder, "home"));
  return {
    folder,
    tarball,
    command: join(folder, "home/node_modules/modelyard/src/cli/main.ts"),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** What a command prints; one that fails is an error. */
export async function run(words: readonly string[], cwd: string): Promise<string> {
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

/** Writes a plugin of this kind, and has it pass its test, be served, answer, and fit its types. */
export async function tryPlugin(kind: string, { folder, command }: Stranger): Promise<void> {
  const began = performance.now();
  const home = join(folder, `try-${kind}`);
  await run(["bun", command, "plugin", "new", `try-${kind}`, "--kind", kind, "--dir", home], folder);
  await run(["bun", "install"], home);
  const tested = await run(["bun", "test"], home);
  expect(tested).toMatch(/ [1-9]\d* pass\n 0 fail\n/);
  expect(skipped(tested).filter((id) => id.startsWith("4."))).toEqual(kind === "http" ? NEED_A_STREAM : []);
  // The rules of level 7 are for upstreams that speak a client's own API.
  expect(skipped(tested).filter((id) => !id.startsWith("7.")).length).toBeLessThan(RULES.length / 3);
  await using emulator = new CodeProcess(join(home, "emulator.ts"), ["0"], { cwd: home });
  const upstream = () => /listens on (http\S+)\/\n/.exec(emulator.stdout)?.[1];
  await until(() => upstream() !== undefined, "the emulator to listen", 10_000);
  const environment = { PORT: "0", UPSTREAM_URL: upstream() ?? "" };
  await using gateway = new CodeProcess(command, ["serve"], { cwd: home, environment });
  const answer = await ask(await gateway.listening(), "small", { key: KEY });
  expect(textOf(parseFrames(await answer.text()))).toBe("You said: Well?");
  console.log(`a plugin for ${kind}, from nothing to its first answer: ${seconds(began)} s`);
  await run([join(ROOT, "node_modules/.bin/tsc"), "--noEmit", "-p", home], home);
}

/** The rules that didn't apply, by their ids. */
function skipped(tested: string): string[] {
  return [...tested.matchAll(/^– (\S+ \S+) doesn't apply/gm)].map(([, id = ""]) => id);
}

function seconds(since: number): string {
  return ((performance.now() - since) / 1000).toFixed(1);
}
