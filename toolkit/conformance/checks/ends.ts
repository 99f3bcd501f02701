import { UpstreamError } from "../../../src/contract/index.ts";
import type { ChatEvent, UpstreamErrorCode } from "../../../src/contract/index.ts";
import { validateEvent } from "../../../src/answer/validate-event.ts";
import type { Outcome } from "../harness/test-request.ts";
import { expectText } from "../harness/harness.ts";
import type { Bench, Stage } from "../harness/harness.ts";
import type { Check } from "./check.ts";
import { halfway, untilItWaits } from "../harness/mid-stream.ts";
import { COMPLAINT, scenarioOf } from "../fixtures/scenarios.ts";
import type { ScenarioName } from "../fixtures/scenarios.ts";
import { Broken, inWords, NotApplicable, quoted } from "../harness/verdict.ts";
import { comesTrue, pause } from "../harness/timing.ts";

const BROKEN_OFF: readonly UpstreamErrorCode[] = ["truncated", "bad-response", "unavailable", "failed"];
const FAILED: readonly UpstreamErrorCode[] = ["failed", "unavailable"];
const MOST_BYTES = 24 * 2 ** 20;
const STEADY_LOOKS = 12;
const LOOK_MS = 25;

/** Level 2: events as the contract wants them, and no end but a true one. */
export const ENDS: readonly Check[] = [
  { rule: "2.1 events", plays: ["text"], run: events },
  { rule: "2.2 finish-once", plays: ["text"], run: finishOnce },
  { rule: "2.3 cut", plays: ["cut"], run: (bench) => breaksOff(bench, "cut", true) },
  { rule: "2.4 truncated", plays: ["end"], run: (bench) => breaksOff(bench, "end", true) },
  { rule: "2.5 garbage", plays: ["garbage"], run: (bench) => breaksOff(bench, "garbage", true) },
  { rule: "2.6 failing", plays: ["failing"], run: (bench) => fails(bench, "failing", true) },
  { rule: "2.7 broken", plays: ["broken"], run: broken },
  { rule: "2.8 incremental", plays: ["stall"], run: incremental },
  { rule: "2.9 bounded", plays: ["endless"], run: bounded },
  { rule: "2.10 plain-ends", plays: [], run: plainEnds },
  { rule: "2.12 late-text", plays: ["early-finish"], run: lateText },
  { rule: "2.11 alive", plays: ["stall"], run: alive },
  { rule: "2.13 last-text", plays: ["joined"], run: lastText },
];

/** Every answer that the upstream can give in full, in both forms. */
async function* wholeAnswers(bench: Bench): AsyncGenerator<Outcome> {
  for (const name of ["text", "length", "reasoning", "tools"] as const) {
    if (bench.fixtures.unsupported?.[name] !== undefined) continue;
    for (const stream of [true, false]) yield await bench.answerIn(name, { stream });
  }
}

async function events(bench: Bench): Promise<void> {
  for await (const outcome of wholeAnswers(bench)) {
    for (const event of outcome.events) {
      try {
        validateEvent(event);
      } catch (error) {
        throw new Broken(`${inWords(error)}: ${quoted(JSON.stringify(event) ?? "nothing")}`);
      }
    }
  }
}

async function finishOnce(bench: Bench): Promise<void> {
  for await (const { events: said, finishes, hasEnded, error } of wholeAnswers(bench)) {
    if (finishes.length > 1)
      throw new Broken(`there are ${finishes.length} \`finish\` events, for one choice`);
    const after = said.slice(said.findIndex(({ type }) => type === "finish") + 1);
    const stray = finishes.length === 1 && after.find((event) => !mayFollowFinish(event));
    if (stray) throw new Broken(`after the \`finish\` comes ${quoted(JSON.stringify(stray))}`);
    if (!hasEnded) throw new Broken(`the stream doesn't end by itself, but with ${inWords(error)}`);
    if (finishes.length === 0) throw new Broken("a whole answer ended without a `finish`");
  }
}

function mayFollowFinish(event: ChatEvent): boolean {
  return event.type === "usage" || (event.type === "extra" && event.at === "chunk");
}

async function breaksOff(bench: Bench, name: ScenarioName, stream: boolean): Promise<void> {
  const outcome = await bench.answerIn(name, { stream });
  expectNoFinish(outcome);
  // An end without a `finish` is the contract's own way to say it, except where nobody could tell a fault.
  if (outcome.error !== undefined) expectCode(outcome.error, BROKEN_OFF);
  else if (name !== "end") throw new Broken("the answer just ends, and nobody is told why");
  const { text } = scenarioOf(name).answer;
  if (!text.startsWith(outcome.text)) {
    throw new Broken(`the text is ${quoted(outcome.text)}, which the upstream never said`);
  }
}

async function fails(bench: Bench, name: ScenarioName, stream: boolean): Promise<void> {
  const outcome = await bench.answerIn(name, { stream });
  expectNoComplaintAsText(outcome);
  expectNoFinish(outcome);
  if (outcome.error === undefined) throw new Broken("the answer just ends, and nobody is told why");
  expectCode(outcome.error, [...FAILED, "bad-response"]);
  expectComplaint(outcome.error);
}

async function broken(bench: Bench): Promise<void> {
  for (const stream of [true, false]) {
    const outcome = await bench.answerIn("broken", { stream });
    expectNoComplaintAsText(outcome);
    expectNoFinish(outcome);
    if (outcome.error === undefined) throw new Broken("the answer just ends, and nobody is told why");
    expectCode(outcome.error, FAILED);
    expectComplaint(outcome.error);
  }
}

function expectNoFinish({ finishes }: Outcome): void {
  if (finishes.length > 0)
    throw new Broken("the answer was given a `finish`, so that it passes for a whole one");
}

function expectNoComplaintAsText({ text, reasoning }: Outcome): void {
  if (text.includes(COMPLAINT) || reasoning.includes(COMPLAINT)) {
    throw new Broken(`the upstream's error message is text of the answer: ${quoted(text)}`);
  }
}

/** Throws unless the error says what the upstream said. */
export function expectComplaint(error: unknown): void {
  if (error instanceof Error && error.message.includes(COMPLAINT)) return;
  throw new Broken(`the upstream said ${quoted(COMPLAINT)}, and the error is ${inWords(error)}`);
}

/** Throws unless the error is an UpstreamError with one of these codes. */
export function expectCode(error: unknown, codes: readonly UpstreamErrorCode[]): void {
  if (!UpstreamError.is(error)) throw new Broken(`${inWords(error)} was thrown, which is no UpstreamError`);
  if (codes.includes(error.code)) return;
  throw new Broken(`the error is ${inWords(error)}; its code should be ${codes.join(" or ")}`);
}

async function incremental(bench: Bench): Promise<void> {
  const { answer } = scenarioOf("stall");
  await bench.on("stall", async ({ ask }) => {
    const asked = ask();
    while (asked.outcome.text === "" && !asked.isOver) {
      await asked.step("though the upstream had streamed half of the answer and only paused");
    }
    const { error, text } = asked.outcome;
    if (error !== undefined) throw new Broken(`while the upstream paused the plugin threw ${inWords(error)}`);
    expectNoFinish(asked.outcome);
    if (text === "" || !answer.text.startsWith(text)) throw new Broken(`the first text is ${quoted(text)}`);
  });
}

async function bounded(bench: Bench): Promise<string> {
  return bench.on("endless", async (stage) => {
    if (stage.played.sent === undefined)
      throw new Broken("the fixtures don't count `sent`, so this can't be seen");
    const asked = stage.ask();
    while (asked.outcome.events.length === 0 && !asked.isOver)
      await asked.step("though the upstream talks on");
    if (asked.isOver) throw new Broken(`the answer ended at once, with ${inWords(asked.outcome.error)}`);
    const { sent } = stage.played;
    const told = Buffer.byteLength(asked.outcome.text);
    if (sent < told)
      throw new Broken(`the fixtures count ${sent} bytes as \`sent\`, and ${told} bytes of text have come`);
    return await heldBack(stage);
  });
}

/** Watches what the upstream gets rid of while nobody reads, until that stands still. */
async function heldBack({ played }: Stage): Promise<string> {
  let [before, steady] = [-1, 0];
  while (steady < STEADY_LOOKS && played.active !== 0) {
    const { sent = 0 } = played;
    if (sent > MOST_BYTES) {
      throw new Broken(`while nobody read, the plugin took ${Math.round(sent / 2 ** 20)} MiB and went on`);
    }
    steady = sent === before ? steady + 1 : 0;
    before = sent;
    await pause(LOOK_MS);
  }
  const megabytes = ((played.sent ?? 0) / 2 ** 20).toFixed(1);
  return played.active !== 0 ? `held back after ${megabytes} MiB` : `left after ${megabytes} MiB`;
}

async function alive(bench: Bench): Promise<void> {
  await bench.on("stall", async (stage) => {
    const asked = await halfway(bench, stage);
    await untilItWaits(asked);
    const before = asked.call.told.alive;
    if (!stage.played.ping?.())
      throw new NotApplicable("no answer is kept alive by pings (the fixtures' `ping` sends none)");
    if (await comesTrue(() => asked.call.told.alive > before, bench.patience)) return;
    throw new Broken("a ping came and `call.alive()` was not called");
  });
}

async function lastText(bench: Bench): Promise<void> {
  expectText(await bench.answerIn("joined", { stream: true }), scenarioOf("joined").answer.text);
}

async function lateText(bench: Bench): Promise<void> {
  const { text } = scenarioOf("early-finish").answer;
  const outcome = await bench.answerIn("early-finish", { stream: true });
  if (outcome.error !== undefined) return expectCode(outcome.error, BROKEN_OFF);
  if (outcome.text === text) return;
  throw new Broken(`the text is ${quoted(outcome.text)}: what came behind the first finish reason is lost`);
}

async function plainEnds(bench: Bench): Promise<void> {
  for (const name of ["cut", "end", "garbage"] as const) {
    if (bench.fixtures.unsupported?.[name] !== undefined) continue;
    try {
      await breaksOff(bench, name, false);
    } catch (error) {
      throw error instanceof Broken ? new Broken(`in the scenario \`${name}\` ${error.message}`) : error;
    }
  }
}
