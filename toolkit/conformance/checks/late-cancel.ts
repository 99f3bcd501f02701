import type { Asked } from "../harness/test-request.ts";
import type { Bench, Stage } from "../harness/harness.ts";
import type { Check } from "./check.ts";
import { Broken, NotApplicable } from "../harness/verdict.ts";
import { pause } from "../harness/timing.ts";

const MARK = "mark-of-the-late";
// What was begun all the same has been sent by then.
const AFTERMATH_MS = 60;

/** Level 4: nothing is begun for a client who has left before its prompt was sent. */
export const LATE: readonly Check[] = [{ rule: "4.16 late", plays: ["text"], run: late }];

async function late(bench: Bench): Promise<void> {
  await bench.on("text", async (stage) => {
    await askMarked(stage).all();
    if (!isSeen(stage)) throw new NotApplicable("what the upstream is asked can't be seen");
  });
  await bench.on("text", async (stage) => {
    await expectUnsent(stage, askMarked(stage, true), "before chat() was called");
  });
  await bench.on("text", (stage) => whileQueued(stage));
}

/** The first request of a plugin that signs up by itself waits for a credential. */
async function whileQueued(stage: Stage): Promise<void> {
  if (stage.played.signUps !== 0) return;
  const asked = askMarked(stage);
  const { promise: waits, resolve } = Promise.withResolvers<void>();
  // At once: over loopback a credential is made within a millisecond.
  asked.call.onQueued = () => {
    asked.call.abort();
    resolve();
  };
  asked.begin();
  await Promise.race([waits, asked.settles()]);
  if (asked.call.told.queued === 0) return;
  await expectUnsent(stage, asked, "while a credential was made");
}

function askMarked({ opened }: Stage, hasLeft = false): Asked {
  return opened.ask({ messages: [{ role: "user", content: `What about the ${MARK}?` }] }, hasLeft);
}

function isSeen({ played }: Stage): boolean {
  return played.received.some((request) => request.includes(MARK));
}

async function expectUnsent(stage: Stage, asked: Asked, when: string): Promise<void> {
  asked.call.abort();
  asked.begin();
  if (!(await asked.settles())) throw new Broken(`the client left ${when}, and the plugin still waits`);
  await asked.leave();
  await pause(AFTERMATH_MS);
  if (isSeen(stage)) throw new Broken(`the client left ${when}, and the upstream was asked all the same`);
  if (asked.outcome.finishes.length > 0) throw new Broken("an answer that was given up was given a `finish`");
}
