import type { Asked } from "./test-request.ts";
import { isAsked } from "./harness.ts";
import type { Bench, Stage } from "./harness.ts";
import { Broken, inWords } from "./verdict.ts";
import { pause } from "./timing.ts";

// Long enough for what was sent over loopback to have been read.
const READ_MS = 30;

/**
 * A request in the middle of its answer, in a scenario that goes no further. The plugin has given an event by then,
 * or, where answers come whole, has had time to read half of one.
 */
export async function halfway(bench: Bench, stage: Stage): Promise<Asked> {
  return bench.fixtures.streams === false ? underWay(bench, stage, false) : afterFirstText(stage);
}

/** A streamed answer of which the first text was read. */
export async function afterFirstText({ ask }: Stage): Promise<Asked> {
  const asked = ask();
  while (asked.outcome.text === "" && !asked.isOver)
    await asked.step("though the upstream had said something");
  expectGoingOn(asked);
  return asked;
}

/** A request that the upstream is at work on, after time enough to read what it says to begin with. */
export async function underWay(bench: Bench, stage: Stage, stream: boolean): Promise<Asked> {
  const asked = stage.ask({ stream });
  asked.begin();
  if (!(await isAsked(stage, bench.patience))) {
    const { error } = asked.outcome;
    throw new Broken(`the upstream was never asked${error === undefined ? "" : `: ${inWords(error)}`}`);
  }
  await untilItWaits(asked);
  expectGoingOn(asked);
  return asked;
}

/** Reads what the upstream has said; only when that is read does the plugin wait. */
export async function untilItWaits(asked: Asked): Promise<void> {
  do {
    asked.begin();
    await pause(READ_MS);
  } while (!asked.isWaiting && !asked.isOver);
}

/** Throws if an answer that should go on is over. */
export function expectGoingOn({ isOver, outcome }: Asked): void {
  if (isOver) throw new Broken(`the answer was over before it was given up, with ${inWords(outcome.error)}`);
}
