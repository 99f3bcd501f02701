import type { Harness, Play } from "../harness/harness.ts";
import { expectText } from "../harness/harness.ts";
import type { Check } from "./check.ts";
import { expectCode } from "./ends.ts";
import type { TestUpstream } from "../upstreams/fixtures.ts";
import { TestStorage } from "../harness/test-call.ts";
import { expectRetryAfter } from "./refusals.ts";
import { scenarioOf } from "../upstreams/scenarios.ts";
import { RuleViolation, describeError, NotApplicable } from "../harness/verdict.ts";

const MAX_REJECTIONS = 2;

/** Level 5: credentials are used as the upstream requires, stored, and never shown. */
export const CREDENTIALS: readonly Check[] = [
  { rule: "5.1 refused", scenarios: ["refused"], run: refused },
  { rule: "5.2 limited", scenarios: ["limited"], run: limited },
  { rule: "5.3 refresh", scenarios: ["text"], run: refresh },
  { rule: "5.4 restart", scenarios: ["text"], run: restart },
  { rule: "5.5 announced", scenarios: ["text"], run: announced },
  { rule: "5.7 queued", scenarios: ["text"], run: queued },
];

async function refused(harness: Harness): Promise<void> {
  for (const stream of [true, false]) {
    const { error, finishes } = await harness.answer("refused", { stream });
    if (error === undefined || finishes.length > 0)
      throw new RuleViolation("the request with a refused credential didn't fail");
    expectCode(error, ["rejected"]);
  }
}

async function limited(harness: Harness): Promise<void> {
  const { error, finishes } = await harness.answer("limited");
  if (error === undefined || finishes.length > 0)
    throw new RuleViolation("the request beyond the limit didn't fail");
  expectCode(error, ["rate-limited"]);
  expectRetryAfter(error);
}

async function refresh(harness: Harness): Promise<void> {
  await harness.play("text", async ({ ask, played }) => {
    if (!played.expire)
      throw new NotApplicable("its credentials don't expire (the fixtures have no `expire`)");
    expectText(await ask().readAll(), scenarioOf("text").answer.text);
    const { signUps } = played;
    await expectRenewal(ask, played);
    const isRefreshed = played.signUps === signUps;
    // Services also revoke new credentials.
    await expectRenewal(ask, played);
    if (isRefreshed && played.signUps !== signUps)
      throw new RuleViolation("a refreshed credential was abandoned when it expired again soon after");
  });
}

/** Expires the credentials and retries until an answer is complete. */
async function expectRenewal(ask: Play["ask"], played: TestUpstream): Promise<void> {
  played.expire?.();
  for (let time = 0; ; time++) {
    const outcome = await ask().readAll();
    if (outcome.error === undefined) return expectText(outcome, scenarioOf("text").answer.text);
    if (time === MAX_REJECTIONS) {
      throw new RuleViolation(
        `requests still fail after the credential has expired, with ${describeError(outcome.error)}`,
      );
    }
    expectCode(outcome.error, ["rejected", "no-credential"]);
  }
}

async function restart(harness: Harness): Promise<void> {
  await using played = await harness.startUpstream("text");
  if (played.signUps === undefined)
    throw new NotApplicable("it makes no credentials (the fixtures have no `signUps`)");
  const storage = new TestStorage();
  await harness.openAndAnswer(played, storage);
  const before = played.signUps;
  await harness.openAndAnswer(played, storage);
  if (played.signUps === before) return;
  throw new RuleViolation(`there were ${before} sign-ups before the restart and ${played.signUps} after it`);
}

async function announced(harness: Harness): Promise<void> {
  await harness.play("text", async ({ ask, opened, played }) => {
    const { secrets } = played;
    if (!secrets) throw new NotApplicable("the upstream issues no secrets (the fixtures have no `secrets`)");
    expectText(await ask().readAll(), scenarioOf("text").answer.text);
    // A refreshed token is a secret, too.
    if (played.expire) await expectRenewal(ask, played);
    const { host, optionSecrets } = opened;
    const silent = secrets.filter((secret) => !host.secrets.has(secret) && !optionSecrets.includes(secret));
    if (silent.length === 0) return;
    throw new RuleViolation(
      `of ${secrets.length} secrets that the upstream issued, ${silent.length} were not passed to host.secret()`,
    );
  });
}

/** Sends the first request before a credential exists. */
async function queued(harness: Harness): Promise<void> {
  await using played = await harness.startUpstream("text");
  if (played.signUps === undefined)
    throw new NotApplicable("it makes no credentials (the fixtures have no `signUps`)");
  await using opened = await harness.open(played);
  await opened.start();
  const before = played.signUps;
  const request = opened.ask();
  expectText(await request.readAll(), scenarioOf("text").answer.text);
  if (before > 0 || request.call.signals.queued > 0) return;
  throw new RuleViolation("a request waited for a new credential, and `call.queued()` was not called");
}
