import { UpstreamError } from "../../../src/contract/index.ts";
import type { UpstreamErrorCode } from "../../../src/contract/index.ts";
import type { Harness } from "../harness/harness.ts";
import type { Check } from "./check.ts";
import { expectCode, expectErrorMessage } from "./ends.ts";
import { RETRY_AFTER_S, scenarioOf } from "../upstreams/scenarios.ts";
import type { ScenarioName } from "../upstreams/scenarios.ts";
import { RuleViolation, NotApplicable } from "../harness/verdict.ts";

// The plugin may count from when it read the header.
const SLACK_MS = 2_000;

/** Failures with a code of their own, which decides whether and where the gateway retries. */
export const ERROR_CODES: readonly Check[] = [
  { rule: "2.14 filtered", scenarios: ["filtered"], run: filtered },
  {
    rule: "2.15 oversized",
    scenarios: ["oversized"],
    run: async (harness) => void (await errorsIn(harness, "oversized", "too-large")),
  },
  { rule: "2.16 unreachable", scenarios: ["text"], run: unreachable },
  { rule: "2.17 given-up", scenarios: ["given-up"], run: givenUp },
  { rule: "5.8 spent", scenarios: ["spent"], run: spent },
];

async function filtered(harness: Harness): Promise<void> {
  for (const error of await errorsIn(harness, "filtered", "content-filter")) expectErrorMessage(error);
}

async function unreachable(harness: Harness): Promise<void> {
  const played = await harness.startUpstream("text");
  await played[Symbol.asyncDispose]();
  if (played.signUps !== undefined) throw new NotApplicable("it needs its upstream to get a credential");
  await using opened = await harness.open(played);
  await opened.start();
  const { error, hasEnded } = await opened.ask().readAll("though nothing listens at the upstream's address");
  if (hasEnded && played.accepted === undefined && played.active === undefined)
    throw new NotApplicable("it connects to nothing");
  expectCode(error, ["unreachable"]);
}

async function givenUp(harness: Harness): Promise<void> {
  await errorIn(harness, "given-up", { code: "model-failed", stream: true });
}

async function spent(harness: Harness): Promise<void> {
  for (const error of await errorsIn(harness, "spent", "out-of-credit")) expectRetryAfter(error);
}

/** Returns the errors of a streamed and a plain request, which must have this code. */
async function errorsIn(
  harness: Harness,
  name: ScenarioName,
  code: UpstreamErrorCode,
): Promise<readonly unknown[]> {
  const errors: unknown[] = [];
  for (const stream of [true, false]) errors.push(await errorIn(harness, name, { code, stream }));
  return errors;
}

/** Returns the error of a request, which must have this code. */
async function errorIn(
  harness: Harness,
  name: ScenarioName,
  { code, stream }: { readonly code: UpstreamErrorCode; readonly stream: boolean },
): Promise<unknown> {
  const { error, finishes, text } = await harness.answer(name, { stream });
  if (error === undefined && text === scenarioOf(name).answer.text)
    throw new NotApplicable(`your \`${name}\` sends the complete answer, as \`text\` does`);
  if (error === undefined || finishes.length > 0)
    throw new RuleViolation(`in the scenario \`${name}\` the request didn't fail`);
  expectCode(error, [code]);
  return error;
}

/** Throws unless `retryAfterMs` is that of the scenarios `limited` and `spent`. */
export function expectRetryAfter(error: unknown): void {
  const expected = RETRY_AFTER_S * 1_000;
  const found = UpstreamError.is(error) ? error.retryAfterMs : undefined;
  if (found !== undefined && Math.abs(found - expected) <= SLACK_MS) return;
  throw new RuleViolation(
    `the upstream's retry-after is ${expected} ms, retryAfterMs is ${found ?? "missing"}`,
  );
}
