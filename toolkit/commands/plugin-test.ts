import { existsSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import * as conformance from "../conformance/index.ts";
import { reportText, testUpstream, unknownNames } from "../conformance/index.ts";
import type { Fixtures } from "../conformance/index.ts";
import { loadPlugin } from "../../src/host/resolve.ts";
import { messageOf } from "../../src/log.ts";
import { isHelp, printHelp, usageError } from "./plugin-help.ts";

/** The file beside a plugin whose default export are its fixtures. */
const FIXTURES = "conformance.ts";

const USAGE = `usage: bun run modelyard plugin test PATH [--fixtures FILE] [--only RULE]

  PATH      the plugin's file, or its folder with an index.ts
  FILE      its fixtures; default: conformance.ts beside the plugin
  RULE      a level (4) or a rule (2.4)`;

/**
 * `plugin test PATH`: tests a plugin with the conformance kit, offline, and prints the report. Returns 0 when no rule
 * is broken, and for --help, 1 when one is, 2 when there is nothing to test.
 */
export async function pluginTest(argv: readonly string[]): Promise<number> {
  if (argv.some(isHelp)) return printHelp(USAGE);
  const asked = parseArguments(argv);
  if (asked === undefined) return usageError(USAGE);
  provideConformance();
  const plugin = await loadPlugin(asked.plugin, process.cwd()).catch((error: unknown) => messageOf(error));
  if (typeof plugin === "string") return usageError(plugin);
  const fixtures = await loadFixtures(asked.fixtures);
  if (typeof fixtures === "string") return usageError(fixtures);
  const report = await testUpstream(plugin, fixtures, { only: asked.only });
  if (report.results.length === 0) return usageError(`there is no rule ${asked.only}`);
  console.log(reportText(report));
  return report.passed ? 0 : 1;
}

function parseArguments(argv: readonly string[]) {
  const options = { fixtures: { type: "string" }, only: { type: "string", default: "" } } as const;
  try {
    const { values, positionals } = parseArgs({ args: [...argv], options, allowPositionals: true });
    const [path] = positionals;
    if (path === undefined || positionals.length > 1) return undefined;
    const given = resolve(path);
    const isFolder = existsSync(given) && statSync(given).isDirectory();
    const plugin = isFolder ? join(given, "index.ts") : given;
    const fixtures = resolve(values.fixtures ?? join(dirname(plugin), FIXTURES));
    return { plugin, fixtures, only: values.only };
  } catch {
    return undefined;
  }
}

/** The fixtures, or why there are none. */
async function loadFixtures(file: string): Promise<Fixtures | string> {
  if (!existsSync(file)) return `there are no fixtures ${file}: write them, or name a file with --fixtures`;
  try {
    const { default: fixtures } = (await import(file)) as { readonly default?: Partial<Fixtures> };
    if (typeof fixtures?.upstream !== "function" || typeof fixtures.model !== "string") {
      return `${file} has no fixtures as its default export: { model, upstream(scenario) }`;
    }
    const [stray] = unknownNames(fixtures as Fixtures);
    if (stray !== undefined)
      return `${file}: \`unsupported\` names "${stray}", which is no scenario and no rule`;
    return fixtures as Fixtures;
  } catch (error) {
    return `the fixtures ${file} can't be loaded: ${messageOf(error)}`;
  }
}

/** Resolves `modelyard/conformance` to this kit in every module that is loaded afterwards, wherever its file is. */
function provideConformance(): void {
  Bun.plugin({
    name: "modelyard/conformance",
    setup(build) {
      build.module("modelyard/conformance", () => ({ exports: conformance, loader: "object" }));
    },
  });
}
