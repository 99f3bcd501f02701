import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { messageOf } from "../../src/log.ts";
import type { Difference } from "../capture/compare.ts";
import { compare, commonDifferences, formatDifference, showsChange } from "../capture/compare.ts";
import type { Recording } from "../capture/recording.ts";
import { parseRecording } from "../capture/recording.ts";
import { wireMessagesOf } from "../capture/wire-messages.ts";
import type { RecordedCall } from "./record-call.ts";
import { usageError } from "./plugin-help.ts";
import { recordCall, recordingFile } from "./record-call.ts";

const CHANGED = 3;

const USAGE = `usage: bun run modelyard canary NAME [--recording FILE] [--config PATH]

  NAME      an upstream of gateway.yaml, which is really called
  FILE      what \`plugin record\` wrote; default: recordings/NAME.json beside gateway.yaml

exit code: 0 the same, 3 changed, 1 the call failed, 2 bad arguments`;

/**
 * `canary NAME`: repeats a recorded call and compares the shape of what the upstream sends. Returns 0 when it is the
 * same, 3 when it has changed, 1 when the call failed, 2 when there is nothing to compare.
 */
export async function canary(argv: readonly string[]): Promise<number> {
  const given = parseArguments(argv);
  if (typeof given === "string") return usageError(`${given}\n${USAGE}`);
  const recorded = await readFile(given.file, "utf8").then(parseRecording).catch(messageOf);
  if (typeof recorded === "string") {
    return usageError(
      `the recording ${given.file} can't be read: ${recorded}\nmake one with \`plugin record\``,
    );
  }
  return printResult(recorded, await recordAndCompare(argv, given.upstream, recorded));
}

/** The comparison of a new call with a recording. */
interface Comparison extends Pick<RecordedCall, "failure"> {
  readonly upstream: string;
  readonly differences: readonly Difference[];
}

/** Calls the upstream again if it differs, and keeps the differences that both calls have: some parts are random. */
async function recordAndCompare(
  argv: readonly string[],
  upstream: string,
  recorded: Recording,
): Promise<Comparison> {
  const { prompt, model } = recorded;
  const ask = async (): Promise<Comparison> => {
    const { recording, failure } = await recordCall(argv, { upstream, prompt, model });
    return { upstream, failure, differences: compare(wireMessagesOf(recorded), wireMessagesOf(recording)) };
  };
  const first = await ask();
  if (first.differences.length === 0 || isInconclusive(first)) return first;
  const second = await ask();
  return isInconclusive(second)
    ? second
    : { ...second, differences: commonDifferences(first.differences, second.differences) };
}

function isInconclusive({ failure, differences }: Comparison): boolean {
  return failure !== undefined && !showsChange(differences);
}

function printResult(recorded: Recording, compared: Comparison): number {
  const { upstream, failure, differences } = compared;
  if (isInconclusive(compared)) {
    console.error(`the call of the upstream "${upstream}" failed: ${failure}`);
    return 1;
  }
  const since = `the recording of ${recorded.recorded.slice(0, 10)} (${recorded.model})`;
  if (differences.length === 0) {
    console.log(`"${upstream}" is the same as in ${since}`);
    return 0;
  }
  console.log(`"${upstream}" has changed since ${since}:`);
  for (const difference of differences) console.log(`  ${formatDifference(difference)}`);
  if (failure !== undefined) console.log(`  and the plugin failed: ${failure}`);
  return CHANGED;
}

/** Returns the arguments, or a message about what is wrong with them. */
function parseArguments(argv: readonly string[]) {
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
