import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { messageOf } from "../../src/log.ts";
import { StartupError } from "../../src/errors/startup-error.ts";
import { isHelp, printHelp, usageError } from "./plugin-help.ts";
import { filesOf, kinds } from "../scaffold/files.ts";

const GATEWAY = join(import.meta.dir, "../..");
const DEFAULT_KIND = "sse";

/**
 * `plugin new NAME`: writes a small working plugin with its tests to a new folder. Prints the usage with --help.
 * Throws a StartupError when the folder can't be written.
 */
export async function pluginNew(argv: readonly string[]): Promise<number> {
  const usage = `usage: bun run modelyard plugin new NAME [--kind ${kinds().join("|")}] [--dir PATH]`;
  if (argv.some(isHelp)) return printHelp(usage);
  const asked = parseArguments(argv);
  if (!asked) return usageError(usage);
  const { name, kind, folder } = asked;
  expectPossible(asked);
  try {
    mkdirSync(folder, { recursive: true });
    for (const [file, text] of filesOf(name, kind, GATEWAY)) writeFileSync(join(folder, file), text);
  } catch (cause) {
    throw new StartupError(`${folder} can't be written: ${messageOf(cause)}`, { cause });
  }
  console.log(`${folder} holds the plugin ${name}. Next:

  cd ${folder} && bun install
  bun test
  bun run emulator & bun run start`);
  return 0;
}

interface NewPlugin {
  readonly name: string;
  readonly kind: string;
  /** An absolute path. */
  readonly folder: string;
}

function parseArguments(argv: readonly string[]): NewPlugin | undefined {
  const options = { kind: { type: "string", default: DEFAULT_KIND }, dir: { type: "string" } } as const;
  try {
    const { values, positionals } = parseArgs({ args: [...argv], options, allowPositionals: true });
    const [name, ...more] = positionals;
    if (name === undefined || more.length > 0) return undefined;
    return { name, kind: values.kind, folder: resolve(values.dir ?? name) };
  } catch (error) {
    console.error(messageOf(error));
    return undefined;
  }
}

function expectPossible({ name, kind, folder }: NewPlugin): void {
  if (!/^[a-z][a-z0-9-]*$/.test(name)) {
    throw new StartupError(`"${name}" is no plugin's name: write lower case letters, digits and dashes`);
  }
  if (!kinds().includes(kind)) {
    throw new StartupError(`there is no kind "${kind}"; there are ${kinds().join(", ")}`);
  }
  if (existsSync(folder)) throw new StartupError(`${folder} exists already; name another with --dir`);
}
