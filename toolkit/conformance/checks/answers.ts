import type { Bench } from "../harness/harness.ts";
import { expectText } from "../harness/harness.ts";
import type { Check } from "./check.ts";
import { expectCode } from "./ends.ts";
import { scenarioOf } from "../fixtures/scenarios.ts";
import type { ScenarioName } from "../fixtures/scenarios.ts";
import { Broken, quoted } from "../harness/verdict.ts";

const AT_ONCE = 20;

/** Level 1: what the upstream says arrives. */
export const ANSWERS: readonly Check[] = [
  { rule: "1.1 text", plays: ["text"], run: (bench) => saysAll(bench, "text", true) },
  { rule: "1.2 plain", plays: ["text"], run: (bench) => saysAll(bench, "text", false) },
  { rule: "1.3 finish", plays: ["length"], run: finish },
  { rule: "1.4 usage", plays: ["text"], run: usage },
  { rule: "1.5 split", plays: ["split"], run: (bench) => saysAll(bench, "split", true) },
  { rule: "1.6 reasoning", plays: ["reasoning"], run: reasoning },
  { rule: "1.7 many", plays: ["text"], run: many },
  { rule: "1.8 withheld", plays: ["withheld"], run: withheld },
];

async function saysAll(bench: Bench, name: ScenarioName, stream: boolean): Promise<void> {
  expectText(await bench.answerIn(name, { stream }), scenarioOf(name).answer.text);
}

async function finish(bench: Bench): Promise<void> {
  for (const stream of [true, false]) {
    const { finishes, error } = await bench.answerIn("length", { stream });
    const reasons = finishes.map(({ reason }) => reason).join(", ");
    if (reasons === "length") continue;
    const seen = error === undefined ? quoted(reasons) : "nothing, because the answer failed";
    throw new Broken(`the upstream finished with \`length\`, ${form(stream)} the plugin with ${seen}`);
  }
}

async function withheld(bench: Bench): Promise<void> {
  for (const stream of [true, false]) {
    const { finishes, error } = await bench.answerIn("withheld", { stream });
    if (error !== undefined) {
      expectCode(error, ["content-filter"]);
      continue;
    }
    const reasons = finishes.map(({ reason }) => reason).join(", ");
    if (reasons === "content_filter") continue;
    throw new Broken(
      `the upstream's filter stopped the answer, and ${form(stream)} the plugin finished with ${quoted(reasons)}`,
    );
  }
}

async function usage(bench: Bench): Promise<void> {
  const expected = scenarioOf("text").answer.usage;
  for (const stream of [true, false]) {
    const found = (await bench.answerIn("text", { stream })).usage;
    if (found.input === expected.input && found.output === expected.output) continue;
    const seen = `input ${found.input ?? "nothing"}, output ${found.output ?? "nothing"}`;
    const told = `input ${expected.input}, output ${expected.output}`;
    throw new Broken(`the upstream reported ${told}, and ${form(stream)} the plugin says ${seen}`);
  }
}

async function reasoning(bench: Bench): Promise<void> {
  const { answer } = scenarioOf("reasoning");
  for (const stream of [true, false]) {
    const outcome = await bench.answerIn("reasoning", { stream });
    expectText(outcome, answer.text);
    if (outcome.reasoning === answer.reasoning) continue;
    const seen = `${quoted(outcome.reasoning)} and not ${quoted(answer.reasoning)}`;
    throw new Broken(`${form(stream)} the reasoning is ${seen}`);
  }
}

async function many(bench: Bench): Promise<void> {
  const { answer } = scenarioOf("text");
  await bench.on("text", async ({ ask }) => {
    const all = Array.from({ length: AT_ONCE }, () => ask());
    for (const outcome of await Promise.all(all.map((asked) => asked.all())))
      expectText(outcome, answer.text);
  });
}

function form(stream: boolean): string {
  return stream ? "streamed" : "not streamed";
}
