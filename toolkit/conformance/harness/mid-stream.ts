import type { TestRequest } from "./test-request.ts";
import { receivesRequest } from "./harness.ts";
import type { Harness, Play } from "./harness.ts";
import { RuleViolation, describeError } from "./verdict.ts";
import { pause } from "./timing.ts";

// Time to read what was sent over loopback.
const READ_MS = 30;

/**
 * Sends a request and reads to the middle of its answer, where the scenario stops. The plugin has given an event by
 * then, or has had time to read half of an answer that comes in one piece.
 */
export async function readToMiddle(harness: Harness, play: Play): Promise<TestRequest> {
  return harness.fixtures.streams === false ? startRequest(harness, play, false) : readFirstText(play);
}

/** Sends a streamed request and reads its first text. */
export async function readFirstText({ ask }: Play): Promise<TestRequest> {
  const request = ask();
  while (request.answer.text === "" && !request.isDone)
    await request.readNext("though the upstream had sent something");
  expectUnfinished(request);
  return request;
}

/** Sends a request, waits until the upstream has received it, and reads what it has sent so far. */
export async function startRequest(harness: Harness, play: Play, stream: boolean): Promise<TestRequest> {
  const request = play.ask({ stream });
  request.startReading();
  if (!(await receivesRequest(play, harness.patience))) {
    const { error } = request.answer;
    throw new RuleViolation(
      `the upstream received no request${error === undefined ? "" : `: ${describeError(error)}`}`,
    );
  }
  await readUntilPending(request);
  expectUnfinished(request);
  return request;
}

/** Reads until a read stays pending, so that everything the upstream has sent is consumed. */
export async function readUntilPending(request: TestRequest): Promise<void> {
  do {
    request.startReading();
    await pause(READ_MS);
  } while (!request.isWaiting && !request.isDone);
}

/** Throws if an unfinished answer has ended. */
export function expectUnfinished({ isDone, answer }: TestRequest): void {
  if (isDone)
    throw new RuleViolation(`the answer ended before it was cancelled, with ${describeError(answer.error)}`);
}
