import type { TestRequest } from "./test-request.ts";
import { receivesRequest } from "./harness.ts";
import type { Harness, Play } from "./harness.ts";
import { RuleViolation, describeError } from "./verdict.ts";
import { pause } from "./timing.ts";

// Long enough for what was sent over loopback to have been read.
const READ_MS = 30;

/**
 * A request in the middle of its answer, in a scenario that goes no further. The plugin has given an event by then,
 * or, where answers come whole, has had time to read half of one.
 */
export async function readToMiddle(harness: Harness, play: Play): Promise<TestRequest> {
  return harness.fixtures.streams === false ? startRequest(harness, play, false) : readFirstText(play);
}

/** A streamed answer of which the first text was read. */
export async function readFirstText({ ask }: Play): Promise<TestRequest> {
  const request = ask();
  while (request.answer.text === "" && !request.isDone)
    await request.readNext("though the upstream had said something");
  expectUnfinished(request);
  return request;
}

/** A request that the upstream is at work on, after time enough to read what it says to begin with. */
export async function startRequest(harness: Harness, play: Play, stream: boolean): Promise<TestRequest> {
  const request = play.ask({ stream });
  request.startReading();
  if (!(await receivesRequest(play, harness.patience))) {
    const { error } = request.answer;
    throw new RuleViolation(
      `the upstream was never asked${error === undefined ? "" : `: ${describeError(error)}`}`,
    );
  }
  await readUntilPending(request);
  expectUnfinished(request);
  return request;
}

/** Reads what the upstream has said; only when that is read does the plugin wait. */
export async function readUntilPending(request: TestRequest): Promise<void> {
  do {
    request.startReading();
    await pause(READ_MS);
  } while (!request.isWaiting && !request.isDone);
}

/** Throws if an answer that should go on is over. */
export function expectUnfinished({ isDone, answer }: TestRequest): void {
  if (isDone)
    throw new RuleViolation(
      `the answer was over before it was given up, with ${describeError(answer.error)}`,
    );
}
