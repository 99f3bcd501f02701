import { UpstreamError } from "../../../src/contract/index.ts";
import type { UpstreamErrorCode } from "../../../src/contract/index.ts";
import type { Bench } from "../harness/harness.ts";
import type { Check } from "./check.ts";
import { expectCode, expectComplaint } from "./ends.ts";
import { RETRY_AFTER_S, scenarioOf } from "../fixtures/scenarios.ts";
import type { ScenarioName } from "../fixtures/scenarios.ts";
import { Broken, NotApplicable } from "../harness/verdict.ts";

// The wait is counted from when the plugin read it.
const SLACK_MS = 2_000;

/** Refusals with a code of their own, which decides what rests and what is tried next. */
export const REFUSALS: readonly Check[] = [
  { rule: "2.14 filtered", plays: ["filtered"], run: filtered },
  {
    rule: "2.15 oversized",
    plays: ["oversized"],
    run: async (bench) => void (await refusalsIn(bench, "oversized", "too-large")),
  },
  { rule: "2.16 unreachable", plays: ["text"], run: unreachable },
  { rule: "5.8 spent", plays: ["spent"], run: spent },
];

async function filtered(bench: Bench): Promise<void> {
  for (const error of await refusalsIn(bench, "filtered", "content-filter")) expectComplaint(error);
}

async function unreachable(bench: Bench): Promise<void> {
  const played = await bench.play("text");
  await played[Symbol.asyncDispose]();
  if (played.signUps !== undefined)
    throw new NotApplicable("without its upstream it gets no credential to connect with");
  const opened = await bench.open(played);
  try {
    await opened.start();
    const { error, hasEnded } = await opened.ask().all("though nobody listens at the upstream's address");
    if (hasEnded && played.accepted === undefined && played.active === undefined)
      throw new NotApplicable("it connects to nothing");
    expectCode(error, ["unreachable"]);
  } finally {
    await opened.leaveAll();
    await opened.host.close();
  }
}

async function spent(bench: Bench): Promise<void> {
  for (const error of await refusalsIn(bench, "spent", "out-of-credit")) expectRetryAfter(error);
}

/** The failures of a streamed and a plain request, which must have this code. */
async function refusalsIn(
  bench: Bench,
  name: ScenarioName,
  code: UpstreamErrorCode,
): Promise<readonly unknown[]> {
  const errors: unknown[] = [];
  for (const stream of [true, false]) {
    const { error, finishes, text } = await bench.answerIn(name, { stream });
    if (error === undefined && text === scenarioOf(name).answer.text)
      throw new NotApplicable(`your \`${name}\` gives the whole answer, as \`text\` does`);
    if (error === undefined || finishes.length > 0)
      throw new Broken(`in the scenario \`${name}\` there is no failure`);
    expectCode(error, [code]);
    errors.push(error);
  }
  return errors;
}

/** Throws unless the error says when to come back, as the scenarios `limited` and `spent` have it. */
export function expectRetryAfter(error: unknown): void {
  const expected = RETRY_AFTER_S * 1_000;
  const found = UpstreamError.is(error) ? error.retryAfterMs : undefined;
  if (found !== undefined && Math.abs(found - expected) <= SLACK_MS) return;
  throw new Broken(
    `the upstream said to come back in ${expected} ms, retryAfterMs is ${found ?? "not given"}`,
  );
}
