import { SseParser } from "../../../src/kit/index.ts";
import type { CollectedAnswer } from "../harness/test-request.ts";
import type { Harness, Play } from "../harness/harness.ts";
import { TestCall } from "../harness/test-call.ts";
import { TestNativeRequest, testBody } from "../harness/test-native-request.ts";
import type { TestBody } from "../harness/test-native-request.ts";
import { TIMED_OUT, withTimeout } from "../harness/timing.ts";
import { describeError, NotApplicable, quoted, RuleViolation } from "../harness/verdict.ts";
import type { NativeFixtures } from "../upstreams/fixtures.ts";
import { ERROR_MESSAGE, scenarioOf } from "../upstreams/scenarios.ts";
import type { ScenarioName } from "../upstreams/scenarios.ts";
import type { Check } from "./check.ts";
import { expectCode } from "./ends.ts";

/** Level 7: clients of the upstream's own API get its own answers. */
export const NATIVE: readonly Check[] = [
  { rule: "7.1 own-request", scenarios: ["text"], run: ownRequest },
  { rule: "7.2 own-frames", scenarios: ["text"], run: ownFrames },
  { rule: "7.3 same-events", scenarios: ["text"], run: sameEvents },
  { rule: "7.4 own-ends", scenarios: [], run: ownEnds },
  { rule: "7.5 own-last", scenarios: ["text"], run: ownLast },
  { rule: "7.6 count", scenarios: ["text"], run: count },
];

const WHOLE = ["text", "length", "reasoning", "tools"] as const;
const FORMS = [true, false];

/** Throws unless the plugin and the fixtures have an API of the client's. */
function nativeOf({ fixtures: { native } }: Harness, { opened: { upstream } }: Play): NativeFixtures {
  const offered = Object.keys(upstream.native ?? {});
  if (offered.length === 0) throw new NotApplicable("it speaks no client's API (`native`)");
  if (native && offered.includes(native.dialect)) return native;
  throw new RuleViolation(
    `it offers ${offered.join(", ")} as \`native\`, and the fixtures don't describe it`,
  );
}

function bodyOf({ fixtures }: Harness, { request }: NativeFixtures, stream: boolean): TestBody {
  return testBody({ model: fixtures.model, ...request, ...(stream && { stream }) });
}

/** Plays a scenario, streamed and not, and collects the answers. */
async function* answers(
  harness: Harness,
  name: ScenarioName,
): AsyncGenerator<{ answer: CollectedAnswer; stream: boolean; native: NativeFixtures; play: Play }> {
  for (const stream of FORMS) {
    yield await harness.play(name, async (play) => {
      const native = nativeOf(harness, play);
      const request = play.opened.askNatively(bodyOf(harness, native, stream), native);
      return { answer: await request.readAll(), stream, native, play };
    });
  }
}

async function ownRequest(harness: Harness): Promise<void> {
  for await (const { stream, native, play } of answers(harness, "text")) {
    const { text } = bodyOf(harness, native, stream);
    if (play.played.received.some((request) => request.includes(text))) continue;
    const last = play.played.received.at(-1)?.split("\n\n").at(-1) ?? "nothing";
    throw new RuleViolation(`the client wrote ${quoted(text)}, and the upstream was sent ${quoted(last)}`);
  }
}

async function ownFrames(harness: Harness): Promise<void> {
  for (const name of WHOLE) {
    if (harness.fixtures.unsupported?.[name] !== undefined) continue;
    for await (const { answer, stream, native } of answers(harness, name)) {
      const sent = native.body(scenarioOf(name).answer, stream);
      const expected = stream ? framesIn(sent) : [`document: ${sent}`];
      const found = answer.frames.map((frame) => `${frame.name}: ${frame.data}`);
      const at = expected.findIndex((frame, index) => frame !== found[index]);
      const place = at < 0 && found.length > expected.length ? expected.length : at;
      if (place < 0) continue;
      throw new RuleViolation(
        `frame ${place + 1} of ${expected.length} is ${quoted(found[place] ?? "missing")}; the upstream sent ${quoted(expected[place] ?? "no more")}`,
      );
    }
  }
}

function framesIn(stream: string): string[] {
  const events = new SseParser().push(new TextEncoder().encode(stream));
  return events.filter(({ event }) => event !== "ping").map(({ event, data }) => `${event}: ${data}`);
}

async function sameEvents(harness: Harness): Promise<void> {
  for (const name of WHOLE) {
    if (harness.fixtures.unsupported?.[name] !== undefined) continue;
    for await (const { answer, stream } of answers(harness, name)) {
      const [expected, found] = [contentOf(await harness.answer(name, { stream })), contentOf(answer)];
      for (const part of Object.keys(expected) as (keyof typeof expected)[]) {
        if (expected[part] === found[part]) continue;
        throw new RuleViolation(
          `in the scenario \`${name}\` the ${part} is ${quoted(found[part])}, and by \`chat\` ${quoted(expected[part])}`,
        );
      }
    }
  }
}

function contentOf(answer: CollectedAnswer) {
  const { text, reasoning, toolCalls, finishes, usage, error } = answer;
  const calls = toolCalls.map((call) => `${call.index} ${call.names.join("")} ${call.arguments}`);
  return {
    error: error === undefined ? "none" : describeError(error),
    text,
    reasoning,
    calls: calls.join(", "),
    finish: finishes.map(({ reason }) => reason).join(", "),
    usage: `${usage.input} in, ${usage.output} out`,
  };
}

async function ownEnds(harness: Harness): Promise<void> {
  for (const name of ["cut", "end", "garbage", "failing", "broken"] as const) {
    if (harness.fixtures.unsupported?.[name] !== undefined) continue;
    for await (const { answer } of answers(harness, name)) {
      const { error, finishes, frames } = answer;
      const fault =
        (finishes.length > 0 && "has a `finish`, so that it passes for a complete one") ||
        (frames.some(({ data }) => data.includes(ERROR_MESSAGE)) &&
          "has the upstream's failure as a frame") ||
        (error === undefined && name !== "end" && "ends without an error");
      if (fault) throw new RuleViolation(`in the scenario \`${name}\` the answer ${fault}`);
    }
  }
}

async function ownLast(harness: Harness): Promise<void> {
  for await (const { answer } of answers(harness, "text")) {
    const at = answer.events.findIndex(
      (event) => event.type === "native" && event.events.some(({ type }) => type === "finish"),
    );
    if (at < 0) throw new RuleViolation("no frame has the `finish`");
    const after = answer.events.slice(at + 1).find(({ type }) => type !== "usage");
    if (after)
      throw new RuleViolation(`behind the frame with the finish comes ${quoted(JSON.stringify(after))}`);
  }
}

async function count(harness: Harness): Promise<void> {
  const counted = await counting(harness, "text");
  const { input } = scenarioOf("text").answer.usage;
  if (counted !== input) {
    const found = typeof counted === "number" ? counted : describeError(counted);
    throw new RuleViolation(`the upstream counted ${input} tokens, and countTokens() gave ${found}`);
  }
  if (harness.fixtures.unsupported?.["refused"] === undefined)
    expectCode(await counting(harness, "refused"), ["rejected"]);
}

/** Returns the count, or the error in its place. */
async function counting(harness: Harness, name: ScenarioName): Promise<unknown> {
  return harness.play(name, async (play) => {
    const { upstream, host } = play.opened;
    if (!upstream.countTokens) throw new NotApplicable("it has no countTokens()");
    const native = nativeOf(harness, play);
    if (native.counts !== true) throw new NotApplicable("the fixtures' upstream doesn't count tokens");
    const body = bodyOf(harness, native, false);
    const { call } = new TestCall(host.lines, body);
    const asked = (async () => upstream.countTokens?.(new TestNativeRequest(body, native.dialect), call))();
    const result = await withTimeout(
      asked.catch((error: unknown) => error),
      harness.patience,
    );
    if (result === TIMED_OUT)
      throw new RuleViolation(`countTokens() took longer than ${harness.patience} ms`);
    return result;
  });
}
