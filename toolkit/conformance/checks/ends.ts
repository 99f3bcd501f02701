import { UpstreamError } from "../../../src/contract/index.ts";
import type { ChatEvent, UpstreamErrorCode } from "../../../src/contract/index.ts";
import { validateEvent } from "../../../src/answer/validate-event.ts";
import type { CollectedAnswer } from "../harness/test-request.ts";
import { expectText } from "../harness/harness.ts";
import type { Harness, Play } from "../harness/harness.ts";
import type { Check } from "./check.ts";
import { readToMiddle, readUntilPending } from "../harness/mid-stream.ts";
import { ERROR_MESSAGE, scenarioOf } from "../upstreams/scenarios.ts";
import type { ScenarioName } from "../upstreams/scenarios.ts";
import { RuleViolation, describeError, NotApplicable, quoted } from "../harness/verdict.ts";
import { becomesTrue, pause } from "../harness/timing.ts";

const BROKEN_OFF: readonly UpstreamErrorCode[] = ["truncated", "bad-response", "unavailable", "failed"];
const FAILED: readonly UpstreamErrorCode[] = ["failed", "unavailable"];
const MOST_BYTES = 24 * 2 ** 20;
const STEADY_LOOKS = 12;
const LOOK_MS = 25;

/** Level 2: events follow the contract, and truncated answers end in an error. */
export const ENDS: readonly Check[] = [
  { rule: "2.1 events", scenarios: ["text"], run: events },
  { rule: "2.2 finish-once", scenarios: ["text"], run: finishOnce },
  { rule: "2.3 cut", scenarios: ["cut"], run: (harness) => expectTruncated(harness, "cut", true) },
  { rule: "2.4 truncated", scenarios: ["end"], run: (harness) => expectTruncated(harness, "end", true) },
  {
    rule: "2.5 garbage",
    scenarios: ["garbage"],
    run: (harness) => expectTruncated(harness, "garbage", true),
  },
  { rule: "2.6 failing", scenarios: ["failing"], run: (harness) => fails(harness, "failing", true) },
  { rule: "2.7 broken", scenarios: ["broken"], run: broken },
  { rule: "2.8 incremental", scenarios: ["stall"], run: incremental },
  { rule: "2.9 bounded", scenarios: ["endless"], run: bounded },
  { rule: "2.10 plain-ends", scenarios: [], run: plainEnds },
  { rule: "2.12 late-text", scenarios: ["early-finish"], run: lateText },
  { rule: "2.11 alive", scenarios: ["stall"], run: alive },
  { rule: "2.13 last-text", scenarios: ["joined"], run: lastText },
];

/** Yields every complete answer that the upstream supports, streamed and plain. */
async function* wholeAnswers(harness: Harness): AsyncGenerator<CollectedAnswer> {
  for (const name of ["text", "length", "reasoning", "tools"] as const) {
    if (harness.fixtures.unsupported?.[name] !== undefined) continue;
    for (const stream of [true, false]) yield await harness.answer(name, { stream });
  }
}

async function events(harness: Harness): Promise<void> {
  for await (const outcome of wholeAnswers(harness)) {
    for (const event of outcome.events) {
      try {
        validateEvent(event);
      } catch (error) {
        throw new RuleViolation(`${describeError(error)}: ${quoted(JSON.stringify(event) ?? "nothing")}`);
      }
    }
  }
}

async function finishOnce(harness: Harness): Promise<void> {
  for await (const { events: said, finishes, hasEnded, error } of wholeAnswers(harness)) {
    if (finishes.length > 1)
      throw new RuleViolation(`there are ${finishes.length} \`finish\` events, for one choice`);
    const after = said.slice(said.findIndex(({ type }) => type === "finish") + 1);
    const stray = finishes.length === 1 && after.find((event) => !mayFollowFinish(event));
    if (stray) throw new RuleViolation(`after the \`finish\` comes ${quoted(JSON.stringify(stray))}`);
    if (!hasEnded) throw new RuleViolation(`the stream ends with an error: ${describeError(error)}`);
    if (finishes.length === 0) throw new RuleViolation("a complete answer ended without a `finish`");
  }
}

function mayFollowFinish(event: ChatEvent): boolean {
  return event.type === "usage" || (event.type === "extra" && event.at === "chunk");
}

async function expectTruncated(harness: Harness, name: ScenarioName, stream: boolean): Promise<void> {
  const outcome = await harness.answer(name, { stream });
  expectNoFinish(outcome);
  // Ending without a `finish` also reports truncation, except where the plugin saw an invalid format.
  if (outcome.error !== undefined) expectCode(outcome.error, BROKEN_OFF);
  else if (name !== "end") throw new RuleViolation("the answer ends without an error");
  const { text } = scenarioOf(name).answer;
  if (!text.startsWith(outcome.text)) {
    throw new RuleViolation(`the text is ${quoted(outcome.text)}, which the upstream never sent`);
  }
}

async function fails(harness: Harness, name: ScenarioName, stream: boolean): Promise<void> {
  const outcome = await harness.answer(name, { stream });
  expectNoErrorMessageAsText(outcome);
  expectNoFinish(outcome);
  if (outcome.error === undefined) throw new RuleViolation("the answer ends without an error");
  expectCode(outcome.error, [...FAILED, "bad-response"]);
  expectErrorMessage(outcome.error);
}

async function broken(harness: Harness): Promise<void> {
  for (const stream of [true, false]) {
    const outcome = await harness.answer("broken", { stream });
    expectNoErrorMessageAsText(outcome);
    expectNoFinish(outcome);
    if (outcome.error === undefined) throw new RuleViolation("the answer ends without an error");
    expectCode(outcome.error, FAILED);
    expectErrorMessage(outcome.error);
  }
}

function expectNoFinish({ finishes }: CollectedAnswer): void {
  if (finishes.length > 0)
    throw new RuleViolation("the truncated answer has a `finish`, so that it passes for a complete one");
}

function expectNoErrorMessageAsText({ text, reasoning }: CollectedAnswer): void {
  if (text.includes(ERROR_MESSAGE) || reasoning.includes(ERROR_MESSAGE)) {
    throw new RuleViolation(`the upstream's error message is in the answer's text: ${quoted(text)}`);
  }
}

/** Throws unless the error has the upstream's error message. */
export function expectErrorMessage(error: unknown): void {
  if (error instanceof Error && error.message.includes(ERROR_MESSAGE)) return;
  throw new RuleViolation(
    `the upstream's message is ${quoted(ERROR_MESSAGE)}, the error is ${describeError(error)}`,
  );
}

/** Throws unless the error is an UpstreamError with one of these codes. */
export function expectCode(error: unknown, codes: readonly UpstreamErrorCode[]): void {
  if (!UpstreamError.is(error))
    throw new RuleViolation(`${describeError(error)} was thrown, not an UpstreamError`);
  if (codes.includes(error.code)) return;
  throw new RuleViolation(`the error is ${describeError(error)}; its code should be ${codes.join(" or ")}`);
}

async function incremental(harness: Harness): Promise<void> {
  const { answer } = scenarioOf("stall");
  await harness.play("stall", async ({ ask }) => {
    const request = ask();
    while (request.answer.text === "" && !request.isDone) {
      await request.readNext("though the upstream had streamed half of the answer and only paused");
    }
    const { error, text } = request.answer;
    if (error !== undefined)
      throw new RuleViolation(`while the upstream paused the plugin threw ${describeError(error)}`);
    expectNoFinish(request.answer);
    if (text === "" || !answer.text.startsWith(text))
      throw new RuleViolation(`the first text is ${quoted(text)}`);
  });
}

async function bounded(harness: Harness): Promise<string> {
  return harness.play("endless", async (play) => {
    if (play.played.sent === undefined)
      throw new RuleViolation("the fixtures don't count `sent`, so this can't be seen");
    const request = play.ask();
    while (request.answer.events.length === 0 && !request.isDone)
      await request.readNext("though the upstream keeps sending");
    if (request.isDone)
      throw new RuleViolation(`the answer ended at once, with ${describeError(request.answer.error)}`);
    const { sent } = play.played;
    const told = Buffer.byteLength(request.answer.text);
    if (sent < told)
      throw new RuleViolation(
        `the fixtures count ${sent} bytes as \`sent\`, and ${told} bytes of text have arrived`,
      );
    return await awaitBackpressure(play);
  });
}

/** Waits until the upstream's writes stop while nothing is read. */
async function awaitBackpressure({ played }: Play): Promise<string> {
  let [before, steady] = [-1, 0];
  while (steady < STEADY_LOOKS && played.active !== 0) {
    const { sent = 0 } = played;
    if (sent > MOST_BYTES) {
      throw new RuleViolation(
        `without a reader the plugin took ${Math.round(sent / 2 ** 20)} MiB and continued`,
      );
    }
    steady = sent === before ? steady + 1 : 0;
    before = sent;
    await pause(LOOK_MS);
  }
  const megabytes = ((played.sent ?? 0) / 2 ** 20).toFixed(1);
  return played.active !== 0 ? `held back after ${megabytes} MiB` : `left after ${megabytes} MiB`;
}

async function alive(harness: Harness): Promise<void> {
  await harness.play("stall", async (play) => {
    const request = await readToMiddle(harness, play);
    await readUntilPending(request);
    const before = request.call.signals.alive;
    if (!play.played.ping?.())
      throw new NotApplicable("no answer is kept alive by pings (the fixtures' `ping` sends none)");
    if (await becomesTrue(() => request.call.signals.alive > before, harness.patience)) return;
    throw new RuleViolation("a ping came and `call.alive()` was not called");
  });
}

async function lastText(harness: Harness): Promise<void> {
  expectText(await harness.answer("joined", { stream: true }), scenarioOf("joined").answer.text);
}

async function lateText(harness: Harness): Promise<void> {
  const { text } = scenarioOf("early-finish").answer;
  const outcome = await harness.answer("early-finish", { stream: true });
  if (outcome.error !== undefined) return expectCode(outcome.error, BROKEN_OFF);
  if (outcome.text === text) return;
  throw new RuleViolation(
    `the text is ${quoted(outcome.text)}: what followed the first finish reason is lost`,
  );
}

async function plainEnds(harness: Harness): Promise<void> {
  for (const name of ["cut", "end", "garbage"] as const) {
    if (harness.fixtures.unsupported?.[name] !== undefined) continue;
    try {
      await expectTruncated(harness, name, false);
    } catch (error) {
      throw error instanceof RuleViolation
        ? new RuleViolation(`in the scenario \`${name}\` ${error.message}`)
        : error;
    }
  }
}
