import type { Harness } from "../harness/harness.ts";
import { expectText } from "../harness/harness.ts";
import type { Check } from "./check.ts";
import { expectCode } from "./ends.ts";
import { scenarioOf } from "../upstreams/scenarios.ts";
import type { ScenarioName } from "../upstreams/scenarios.ts";
import { RuleViolation, quoted } from "../harness/verdict.ts";

const AT_ONCE = 20;

/** Level 1: the content of answers arrives. */
export const ANSWERS: readonly Check[] = [
  { rule: "1.1 text", scenarios: ["text"], run: (harness) => saysAll(harness, "text", true) },
  { rule: "1.2 plain", scenarios: ["text"], run: (harness) => saysAll(harness, "text", false) },
  { rule: "1.3 finish", scenarios: ["length"], run: finish },
  { rule: "1.4 usage", scenarios: ["text"], run: usage },
  { rule: "1.5 split", scenarios: ["split"], run: (harness) => saysAll(harness, "split", true) },
  { rule: "1.6 reasoning", scenarios: ["reasoning"], run: reasoning },
  { rule: "1.7 many", scenarios: ["text"], run: many },
  { rule: "1.8 withheld", scenarios: ["withheld"], run: withheld },
];

async function saysAll(harness: Harness, name: ScenarioName, stream: boolean): Promise<void> {
  expectText(await harness.answer(name, { stream }), scenarioOf(name).answer.text);
}

async function finish(harness: Harness): Promise<void> {
  for (const stream of [true, false]) {
    const { finishes, error } = await harness.answer("length", { stream });
    const reasons = finishes.map(({ reason }) => reason).join(", ");
    if (reasons === "length") continue;
    const seen = error === undefined ? quoted(reasons) : "nothing, because the answer failed";
    throw new RuleViolation(
      `the upstream finished with \`length\`, ${form(stream)} the plugin finished with ${seen}`,
    );
  }
}

async function withheld(harness: Harness): Promise<void> {
  for (const stream of [true, false]) {
    const { finishes, error } = await harness.answer("withheld", { stream });
    if (error !== undefined) {
      expectCode(error, ["content-filter"]);
      continue;
    }
    const reasons = finishes.map(({ reason }) => reason).join(", ");
    if (reasons === "content_filter") continue;
    throw new RuleViolation(
      `the upstream's filter stopped the answer, and ${form(stream)} the plugin finished with ${quoted(reasons)}`,
    );
  }
}

async function usage(harness: Harness): Promise<void> {
  const expected = scenarioOf("text").answer.usage;
  for (const stream of [true, false]) {
    const found = (await harness.answer("text", { stream })).usage;
    if (found.input === expected.input && found.output === expected.output) continue;
    const seen = `input ${found.input ?? "nothing"}, output ${found.output ?? "nothing"}`;
    const told = `input ${expected.input}, output ${expected.output}`;
    throw new RuleViolation(`the upstream reported ${told}, and ${form(stream)} the plugin reported ${seen}`);
  }
}

async function reasoning(harness: Harness): Promise<void> {
  const { answer } = scenarioOf("reasoning");
  for (const stream of [true, false]) {
    const outcome = await harness.answer("reasoning", { stream });
    expectText(outcome, answer.text);
    if (outcome.reasoning === answer.reasoning) continue;
    const seen = `${quoted(outcome.reasoning)} and not ${quoted(answer.reasoning)}`;
    throw new RuleViolation(`${form(stream)} the reasoning is ${seen}`);
  }
}

async function many(harness: Harness): Promise<void> {
  const { answer } = scenarioOf("text");
  await harness.play("text", async ({ ask }) => {
    const all = Array.from({ length: AT_ONCE }, () => ask());
    for (const outcome of await Promise.all(all.map((request) => request.readAll())))
      expectText(outcome, answer.text);
  });
}

function form(stream: boolean): string {
  return stream ? "streamed" : "not streamed";
}
