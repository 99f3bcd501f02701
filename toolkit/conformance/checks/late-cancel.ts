import type { TestRequest } from "../harness/test-request.ts";
import type { Harness, Play } from "../harness/harness.ts";
import type { Check } from "./check.ts";
import { RuleViolation, NotApplicable } from "../harness/verdict.ts";
import { pause } from "../harness/timing.ts";

const MARK = "mark-of-the-late";
// Time for a request to be sent although it was cancelled.
const AFTERMATH_MS = 60;

/** Level 4: a prompt isn't sent after its client has disconnected. */
export const LATE_CANCEL: readonly Check[] = [{ rule: "4.16 late", scenarios: ["text"], run: late }];

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
