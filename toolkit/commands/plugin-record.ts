import { constants, existsSync, statSync } from "node:fs";
import { access, mkdir, writeFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { parseArgs } from "node:util";
import { messageOf } from "../../src/log.ts";
import { StartupError } from "../../src/errors/startup-error.ts";
import { isHelp, printHelp, usageError } from "./plugin-help.ts";
import { recordCall, recordingFile } from "./record-call.ts";

const USAGE = `usage: bun run modelyard plugin record NAME --prompt TEXT [--model MODEL] [--out FILE] [--config PATH]

  NAME      an upstream of gateway.yaml, which is really called
  TEXT      what it is asked; a short answer is enough
  MODEL     default: the first that the upstream lists
  FILE      default: recordings/NAME.json beside gateway.yaml`;

/**
 * `plugin record NAME --prompt TEXT`: calls an upstream and writes what it sent to a file, without secrets. Returns 0
 * when it is written, and for --help, 1 when the call failed, 2 for invalid arguments.
 */
export async function pluginRecord(argv: readonly string[]): Promise<number> {
  if (argv.some(isHelp)) return printHelp(USAGE);
  const given = parseArguments(argv);
  if (typeof given === "string") return usageError(`${given}\n${USAGE}`);
  const out = given.out ?? recordingFile(argv, given.upstream);
  // Before a call that may cost money.
  await expectWritable(out);
  const { recording, failure } = await recordCall(argv, given);
  if (failure !== undefined) {
    console.error(`nothing is written: the call of the upstream "${given.upstream}" failed: ${failure}`);
    return 1;
  }
  await writing(out, async () => {
    await mkdir(dirname(out), { recursive: true });
    await writeFile(out, `${JSON.stringify(recording, null, 2)}\n`);
  });
  console.log(`${recording.frames.length} frames of "${given.upstream}" (${recording.model}) are in ${out}`);
  console.log("Secrets that are known by their name or form are taken out; read it before you publish it.");
  return 0;
}

/** Throws a StartupError if a file can't be written, as far as that shows without writing. */
async function expectWritable(file: string): Promise<void> {
  let there = file;
  while (!existsSync(there)) there = dirname(there);
  await writing(file, async () => {
    if (there === file && statSync(file).isDirectory()) throw new Error("it is a folder");
    if (there !== file && !statSync(there).isDirectory()) throw new Error(`${there} is no folder`);
    await access(there, constants.W_OK);
  });
}

async function writing(file: string, write: () => Promise<unknown>): Promise<void> {
  try {
    await write();
  } catch (cause) {
    throw new StartupError(`${file} can't be written: ${messageOf(cause)}`, { cause });
  }
}

/** Returns the arguments, or a message about what is wrong with them. */
function parseArguments(argv: readonly string[]) {
  const text = { type: "string" } as const;
  const options = { prompt: text, model: text, out: text, config: text };
  try {
    const { values, positionals } = parseArgs({ args: [...argv], options, allowPositionals: true });
    const [upstream, ...others] = positionals;
    if (!upstream || others.length > 0) return "name one upstream of gateway.yaml";
    if (!values.prompt) return "give the prompt with --prompt";
    const out = values.out === undefined ? undefined : resolve(values.out);
    return { upstream, prompt: values.prompt, model: values.model, out };
  } catch (error) {
    return messageOf(error);
  }
}
