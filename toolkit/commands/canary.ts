import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { messageOf } from "../../src/log.ts";
import type { Difference } from "../capture/compare.ts";
import { compare, inBoth, inWords, showsChange } from "../capture/compare.ts";
import type { Recording } from "../capture/recording.ts";
import { parseRecording } from "../capture/recording.ts";
import { spokenIn } from "../capture/wire-messages.ts";
import type { Asked } from "./record-call.ts";
import { askRecorded, recordingFile } from "./record-call.ts";

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
  return tell(recorded, await askedAndCompared(argv, given.upstream, recorded));
}

/** What came of asking again. */
interface Compared extends Pick<Asked, "failure"> {
  readonly upstream: string;
  readonly differences: readonly Difference[];
}

/** Some things come only by chance: a difference is one when a second asking shows it too. */
async function askedAndCompared(
  argv: readonly string[],
  upstream: string,
  recorded: Recording,
): Promise<Compared> {
  const { prompt, model } = recorded;
  const ask = async (): Promise<Compared> => {
    const { recording, failure } = await askRecorded(argv, { upstream, prompt, model });
    return { upstream, failure, differences: compare(spokenIn(recorded), spokenIn(recording)) };
  };
  const first = await ask();
  if (first.differences.length === 0 || isUnasked(first)) return first;
  const second = await ask();
  return isUnasked(second)
    ? second
    : { ...second, differences: inBoth(first.differences, second.differences) };
}

function isUnasked({ failure, differences }: Compared): boolean {
  return failure !== undefined && !showsChange(differences);
}

function tell(recorded: Recording, compared: Compared): number {
  const { upstream, failure, differences } = compared;
  if (isUnasked(compared)) {
    console.error(`the upstream "${upstream}" couldn't be asked: ${failure}`);
    return 1;
  }
  const since = `the recording of ${recorded.recorded.slice(0, 10)} (${recorded.model})`;
  if (differences.length === 0) {
    console.log(`"${upstream}" is the same as in ${since}`);
    return 0;
  }
  console.log(`"${upstream}" has changed since ${since}:`);
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
