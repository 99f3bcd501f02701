import type { TestRequest } from "../harness/test-request.ts";
import { expectIdle } from "../harness/harness.ts";
import type { Harness, Play } from "../harness/harness.ts";
import type { Check } from "./check.ts";
import {
  readFirstText,
  expectUnfinished,
  readToMiddle,
  startRequest,
  readUntilPending,
} from "../harness/mid-stream.ts";
import type { ScenarioName } from "../upstreams/scenarios.ts";
import { RuleViolation, NotApplicable } from "../harness/verdict.ts";
import { pause } from "../harness/timing.ts";

// Time for the upstream to fill the buffers between it and the plugin.
const PAUSE_MS = 30;
const GIVEN_UP = 12;

/** Level 4, first half: cancelling ends the work on both sides. */
export const CANCELLING: readonly Check[] = [
  { rule: "4.1 silent", scenarios: ["silent"], run: (harness) => givenUp(harness, "silent", true) },
  { rule: "4.2 begun", scenarios: ["begun"], run: (harness) => givenUp(harness, "begun", true) },
  { rule: "4.3 mid-stream", scenarios: ["stall"], run: midStream },
  { rule: "4.4 paused", scenarios: ["endless"], run: paused },
  { rule: "4.5 plain", scenarios: ["silent"], run: plain },
  { rule: "4.6 return", scenarios: ["endless"], run: returned },
  { rule: "4.16 late", scenarios: ["text"], run: late },
];

async function givenUp(harness: Harness, name: ScenarioName, stream: boolean): Promise<void> {
  await harness.play(name, async (play) => {
    await expectEnd(play, await startRequest(harness, play, stream), harness.patience);
  });
}

/** Cancels a plain request before the upstream has sent anything, and after half of the answer. */
async function plain(harness: Harness): Promise<void> {
  await givenUp(harness, "silent", false);
  if (harness.fixtures.unsupported?.stall === undefined) await givenUp(harness, "stall", false);
}

async function midStream(harness: Harness): Promise<string> {
  return harness.play("stall", async (play) => {
    const request = await readToMiddle(harness, play);
    await readUntilPending(request);
    await expectEnd(play, request, harness.patience);
    return againAndAgain(harness, play);
  });
}

/** Cancels many requests: none may keep a credential, a permit or a connection. */
async function againAndAgain(harness: Harness, play: Play): Promise<string> {
  for (let given = 1; given <= GIVEN_UP; given++) {
    try {
      const request = await readToMiddle(harness, play);
      request.call.abort();
      await request.cancel();
    } catch (error) {
      if (!(error instanceof RuleViolation)) throw error;
      throw new RuleViolation(`after ${given} cancelled requests the next one fails: ${error.message}`);
    }
  }
  return `${GIVEN_UP + 1} times`;
}

async function paused(harness: Harness): Promise<void> {
  await harness.play("endless", async (play) => {
    const request = await readFirstText(play);
    await pause(PAUSE_MS);
    request.call.abort();
    if (!(await request.cancel())) throw new RuleViolation("after the abort return() doesn't end");
    await expectIdle(play.played, harness.patience);
  });
}

async function returned(harness: Harness): Promise<void> {
  await harness.play("endless", async (play) => {
    const request = await readFirstText(play);
    if (!(await request.cancel()))
      throw new RuleViolation("return() doesn't end: free what you hold in `finally`");
    await expectIdle(play.played, harness.patience);
  });
}

async function expectEnd(play: Play, request: TestRequest, patience: number): Promise<void> {
  expectUnfinished(request);
  request.call.abort();
  if (!(await request.settles())) {
    throw new RuleViolation(
      `${patience} ms after \`call.signal\` was aborted the plugin still waits: race every wait against it`,
    );
  }
  // One event may still be in flight; the end must follow it.
  if (!request.isDone && !(await request.cancel()))
    throw new RuleViolation("after the abort return() doesn't end");
  if (request.answer.finishes.length > 0) throw new RuleViolation("a cancelled answer has a `finish`");
  await expectIdle(play.played, patience);
}

const MARK = "mark-of-the-late";
// Time for a request to be sent although it was cancelled.
const AFTERMATH_MS = 60;

/** A prompt isn't sent after its client has disconnected. */
async function late(harness: Harness): Promise<void> {
  await harness.play("text", async (play) => {
    await askMarked(play).readAll();
    if (!isSeen(play)) throw new NotApplicable("the upstream's requests can't be observed");
  });
  await harness.play("text", async (play) => {
    await expectUnsent(play, askMarked(play, true), "before chat() was called");
  });
  await harness.play("text", (play) => whileQueued(play));
}

/** Cancels the first request of a plugin that signs up by itself while a credential is made. */
async function whileQueued(play: Play): Promise<void> {
  if (play.played.signUps !== 0) return;
  const request = askMarked(play);
  const { promise: waits, resolve } = Promise.withResolvers<void>();
  // At once: over loopback a credential is made within a millisecond.
  request.call.onQueued = () => {
    request.call.abort();
    resolve();
  };
  request.startReading();
  await Promise.race([waits, request.settles()]);
  if (request.call.signals.queued === 0) return;
  await expectUnsent(play, request, "while a credential was made");
}

function askMarked({ opened }: Play, hasLeft = false): TestRequest {
  return opened.ask({ messages: [{ role: "user", content: `What about the ${MARK}?` }] }, hasLeft);
}

function isSeen({ played }: Play): boolean {
  return played.received.some((request) => request.includes(MARK));
}

async function expectUnsent(play: Play, request: TestRequest, when: string): Promise<void> {
  request.call.abort();
  request.startReading();
  if (!(await request.settles()))
    throw new RuleViolation(`the client left ${when}, and the plugin still waits`);
  await request.cancel();
  await pause(AFTERMATH_MS);
  if (isSeen(play)) throw new RuleViolation(`the client left ${when}, and the prompt was sent all the same`);
  if (request.answer.finishes.length > 0) throw new RuleViolation("a cancelled answer has a `finish`");
}
