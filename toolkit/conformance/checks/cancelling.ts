import type { Asked } from "../harness/test-request.ts";
import type { Bench, Stage } from "../harness/harness.ts";
import { expectIdle } from "../harness/harness.ts";
import type { Check } from "./check.ts";
import { afterFirstText, expectGoingOn, halfway, underWay, untilItWaits } from "../harness/mid-stream.ts";
import type { ScenarioName } from "../fixtures/scenarios.ts";
import { Broken } from "../harness/verdict.ts";
import { pause } from "../harness/timing.ts";

// Long enough for the upstream to have filled what lies between it and the plugin.
const PAUSE_MS = 30;
const GIVEN_UP = 12;

/** Level 4, first half: nobody waits for an answer that nobody wants. */
export const CANCELLING: readonly Check[] = [
  { rule: "4.1 silent", plays: ["silent"], run: (bench) => givenUp(bench, "silent", true) },
  { rule: "4.2 begun", plays: ["begun"], run: (bench) => givenUp(bench, "begun", true) },
  { rule: "4.3 mid-stream", plays: ["stall"], run: midStream },
  { rule: "4.4 paused", plays: ["endless"], run: paused },
  { rule: "4.5 plain", plays: ["silent"], run: plain },
  { rule: "4.6 return", plays: ["endless"], run: returned },
];

async function givenUp(bench: Bench, name: ScenarioName, stream: boolean): Promise<void> {
  await bench.on(name, async (stage) => {
    await expectEnd(stage, await underWay(bench, stage, stream), bench.patience);
  });
}

/** Given up before the upstream has said anything, and with half of the answer read. */
async function plain(bench: Bench): Promise<void> {
  await givenUp(bench, "silent", false);
  if (bench.fixtures.unsupported?.stall === undefined) await givenUp(bench, "stall", false);
}

async function midStream(bench: Bench): Promise<string> {
  return bench.on("stall", async (stage) => {
    const asked = await halfway(bench, stage);
    await untilItWaits(asked);
    await expectEnd(stage, asked, bench.patience);
    return againAndAgain(bench, stage);
  });
}

/** Requests that were given up must not use anything up: credentials, places, connections. */
async function againAndAgain(bench: Bench, stage: Stage): Promise<string> {
  for (let given = 1; given <= GIVEN_UP; given++) {
    try {
      const asked = await halfway(bench, stage);
      asked.call.abort();
      await asked.leave();
    } catch (error) {
      if (!(error instanceof Broken)) throw error;
      throw new Broken(`after ${given} requests that were given up another one fails: ${error.message}`);
    }
  }
  return `${GIVEN_UP + 1} times`;
}

async function paused(bench: Bench): Promise<void> {
  await bench.on("endless", async (stage) => {
    const asked = await afterFirstText(stage);
    await pause(PAUSE_MS);
    asked.call.abort();
    if (!(await asked.leave())) throw new Broken("after the abort return() doesn't end");
    await expectIdle(stage.played, bench.patience);
  });
}

async function returned(bench: Bench): Promise<void> {
  await bench.on("endless", async (stage) => {
    const asked = await afterFirstText(stage);
    if (!(await asked.leave())) throw new Broken("return() doesn't end: free what you hold in `finally`");
    await expectIdle(stage.played, bench.patience);
  });
}

async function expectEnd(stage: Stage, asked: Asked, patience: number): Promise<void> {
  expectGoingOn(asked);
  asked.call.abort();
  if (!(await asked.settles())) {
    throw new Broken(
      `${patience} ms after \`call.signal\` was aborted the plugin still waits: race every wait with it`,
    );
  }
  // An event that was on its way may come yet; after it the end must.
  if (!asked.isOver && !(await asked.leave())) throw new Broken("after the abort return() doesn't end");
  if (asked.outcome.finishes.length > 0) throw new Broken("an answer that was given up was given a `finish`");
  await expectIdle(stage.played, patience);
}
