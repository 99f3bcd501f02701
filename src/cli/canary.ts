import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { compare, inWords, showsChange } from "../recording/compare.ts";
import type { Recording } from "../recording/recording.ts";
import { parseRecording } from "../recording/recording.ts";
import { spokenIn } from "../recording/spoken.ts";
import type { Asked } from "./recorded-ask.ts";
import { askRecorded, recordingFile } from "./recorded-ask.ts";

const CHANGED = 3;

const USAGE = `usage: bun run modelyard canary NAME [--recording FILE] [--config PATH]

  NAME      an upstream of gateway.yaml, which is really asked
  FILE      what \`plugin record\` wrote; default: recordings/NAME.json beside gateway.yaml

exit code: 0 the same, 3 changed, 1 it couldn't be asked, 2 bad arguments`;

/**
 * `canary NAME`: asks an upstream what was asked when it was recorded, and compares the shape of what it sends. Gives
 * 0 when that is the same, 3 when it has changed, 1 when it couldn't be asked, 2 when there is nothing to compare.
 */
export async function canary(argv: readonly string[]): Promise<number> {
  const given = question(argv);
  if (typeof given === "string") return refuse(`${given}\n${USAGE}`);
  const recorded = await load(given.file).catch((cause: unknown) => messageOf(cause));
  if (typeof recorded === "string") {
    return refuse(`the recording ${given.file} can't be read: ${recorded}\nmake one with \`plugin record\``);
  }
  const { prompt, model } = recorded;
  return tell(recorded, await askRecorded(argv, { upstream: given.upstream, prompt, model }));
}

function tell(recorded: Recording, { recording: live, failure }: Asked): number {
  const { model, recorded: when } = recorded;
  const differences = compare(spokenIn(recorded), spokenIn(live));
  if (failure !== undefined && !showsChange(differences)) {
    console.error(`the upstream "${live.upstream}" couldn't be asked: ${failure}`);
    return 1;
  }
  const since = `the recording of ${when.slice(0, 10)} (${model})`;
  if (differences.length === 0) {
    console.log(`"${live.upstream}" is the same as in ${since}`);
    return 0;
  }
  console.log(`"${live.upstream}" has changed since ${since}:`);
  for (const difference of differences) console.log(`  ${inWords(difference)}`);
  if (failure !== undefined) console.log(`  and the plugin no longer understands it: ${failure}`);
  return CHANGED;
}

/** What is asked, or what is wrong with it. */
function question(argv: readonly string[]): { readonly upstream: string; readonly file: string } | string {
  const options = { recording: { type: "string" }, config: { type: "string" } } as const;
  try {
    const { values, positionals } = parseArgs({ args: [...argv], options, allowPositionals: true });
    const [upstream, ...others] = positionals;
    if (!upstream || others.length > 0) return "name one upstream of gateway.yaml";
    const file = values.recording === undefined ? recordingFile(argv, upstream) : resolve(values.recording);
    return { upstream, file };
  } catch (error) {
    return messageOf(error);
  }
}

async function load(file: string): Promise<Recording> {
  return parseRecording(await readFile(file, "utf8"));
}

function refuse(why: string): number {
  console.error(why);
  return 2;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
