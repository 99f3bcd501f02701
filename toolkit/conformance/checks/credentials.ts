import type { Bench, Stage } from "../harness/harness.ts";
import { expectText } from "../harness/harness.ts";
import type { Check } from "./check.ts";
import { expectCode } from "./ends.ts";
import type { TestUpstream } from "../fixtures/fixtures.ts";
import { TestStorage } from "../harness/test-call.ts";
import { expectRetryAfter } from "./refusals.ts";
import { scenarioOf } from "../fixtures/scenarios.ts";
import { Broken, inWords, NotApplicable } from "../harness/verdict.ts";

const MOST_REFUSALS = 2;

/** Level 5: credentials are used as the upstream says, kept, and never shown. */
export const CREDENTIALS: readonly Check[] = [
  { rule: "5.1 refused", plays: ["refused"], run: refused },
  { rule: "5.2 limited", plays: ["limited"], run: limited },
  { rule: "5.3 refresh", plays: ["text"], run: refresh },
  { rule: "5.4 restart", plays: ["text"], run: restart },
  { rule: "5.5 announced", plays: ["text"], run: announced },
  { rule: "5.7 queued", plays: ["text"], run: queued },
];

async function refused(bench: Bench): Promise<void> {
  for (const stream of [true, false]) {
    const { error, finishes } = await bench.answerIn("refused", { stream });
    if (error === undefined || finishes.length > 0) throw new Broken("a refused credential is no failure");
    expectCode(error, ["rejected"]);
  }
}

async function limited(bench: Bench): Promise<void> {
  const { error, finishes } = await bench.answerIn("limited");
  if (error === undefined || finishes.length > 0) throw new Broken("a limit is no failure");
  expectCode(error, ["rate-limited"]);
  expectRetryAfter(error);
}

async function refresh(bench: Bench): Promise<void> {
  await bench.on("text", async ({ ask, played }) => {
    if (!played.expire)
      throw new NotApplicable("its credentials don't expire (the fixtures have no `expire`)");
    expectText(await ask().all(), scenarioOf("text").answer.text);
    const { signUps } = played;
    await renewed(ask, played);
    const isRefreshed = played.signUps === signUps;
    // Services take back what is new, too.
    await renewed(ask, played);
    if (isRefreshed && played.signUps !== signUps)
      throw new Broken("a credential that was refreshed was given up when it expired again soon after");
  });
}

/** Has the credentials expire, and asks until an answer is whole. */
async function renewed(ask: Stage["ask"], played: TestUpstream): Promise<void> {
  played.expire?.();
  for (let time = 0; ; time++) {
    const outcome = await ask().all();
    if (outcome.error === undefined) return expectText(outcome, scenarioOf("text").answer.text);
    if (time === MOST_REFUSALS) {
      throw new Broken(
        `requests still fail after the credential has expired, with ${inWords(outcome.error)}`,
      );
    }
    expectCode(outcome.error, ["rejected", "no-credential"]);
  }
}

async function restart(bench: Bench): Promise<void> {
  await using played = await bench.play("text");
  if (played.signUps === undefined)
    throw new NotApplicable("it makes no credentials (the fixtures have no `signUps`)");
  const storage = new TestStorage();
  await bench.live(played, storage);
  const before = played.signUps;
  await bench.live(played, storage);
  if (played.signUps === before) return;
  throw new Broken(`there were ${before} sign-ups before the restart and ${played.signUps} after it`);
}

async function announced(bench: Bench): Promise<void> {
  await bench.on("text", async ({ ask, opened, played }) => {
    const { secrets } = played;
    if (!secrets)
      throw new NotApplicable("the upstream hands out no secrets (the fixtures have no `secrets`)");
    expectText(await ask().all(), scenarioOf("text").answer.text);
    // What a refresh gives is a secret, too.
    if (played.expire) await renewed(ask, played);
    const { host, optionSecrets } = opened;
    const silent = secrets.filter((secret) => !host.secrets.has(secret) && !optionSecrets.includes(secret));
    if (silent.length === 0) return;
    throw new Broken(
      `of ${secrets.length} secrets that the upstream handed out ${silent.length} were not announced`,
    );
  });
}

/** The first request after the start comes before there is a credential. */
async function queued(bench: Bench): Promise<void> {
  await using played = await bench.play("text");
  if (played.signUps === undefined)
    throw new NotApplicable("it makes no credentials (the fixtures have no `signUps`)");
  const opened = await bench.open(played);
  try {
    await opened.start();
    const before = played.signUps;
    const asked = opened.ask();
    expectText(await asked.all(), scenarioOf("text").answer.text);
    if (before > 0 || asked.call.told.queued > 0) return;
    throw new Broken("a request waited for a credential to be made and `call.queued()` was not called");
  } finally {
    await opened.leaveAll();
    await opened.host.close();
  }
}
