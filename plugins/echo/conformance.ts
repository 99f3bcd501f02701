import type { AnswerEvent, Fixtures, Scenario, ScenarioName } from "modelyard/conformance";
import type { JsonObject } from "modelyard/plugin";

const NO_NETWORK = "it has no network that could do that";
const NO_UPSTREAM =
  "there is no upstream that a field could reach: the answer repeats the message, or follows a script";

/** Fixtures of the conformance kit as scripts of the echo. */
const fixtures: Fixtures = {
  model: "echo",
  upstream: (scenario) => ({
    options: {
      models: scenario.name === "pages" ? scenario.pages.flat() : ["echo"],
      script: [{ match: "*", steps: stepsOf(scenario) }],
    },
    received: [],
    [Symbol.asyncDispose]: () => Promise.resolve(),
  }),
  unsupported: {
    split: NO_NETWORK,
    begun: NO_NETWORK,
    cut: NO_NETWORK,
    garbage: NO_NETWORK,
    joined: "a step is a text or an end",
    "2.9": "nobody sends it anything",
    "3.3": NO_UPSTREAM,
    "3.4": NO_UPSTREAM,
    "3.5": NO_UPSTREAM,
    "3.6": NO_UPSTREAM,
  },
};

export default fixtures;

function stepsOf({ name, answer, errorMessage, retryAfterSeconds }: Scenario): JsonObject[] {
  const eventSteps = answer.events.map(stepOf);
  const half = eventSteps.slice(0, eventSteps.length / 2);
  const failure = (code: string, more: JsonObject = {}) => ({
    error: { code, message: errorMessage, ...more },
  });
  const steps: { readonly [scenario in ScenarioName]?: JsonObject[] } = {
    silent: [{ hang: true }],
    stall: [...half, { hang: true }],
    end: [...eventSteps, { cut: true }],
    failing: [...half, failure("failed")],
    broken: [failure("failed")],
    refused: [failure("rejected")],
    filtered: [failure("content-filter")],
    oversized: [failure("too-large")],
    spent: [failure("out-of-credit", { retry_after: `${retryAfterSeconds}s` })],
    limited: [failure("rate-limited", { retry_after: `${retryAfterSeconds}s` })],
  };
  return steps[name] ?? [...eventSteps, { finish: answer.finish }, { usage: { ...answer.usage } }];
}

function stepOf(event: AnswerEvent): JsonObject {
  if (event.type === "text") return { text: event.text };
  if (event.type === "reasoning") return { reasoning: event.text };
  return { tool_call: { id: event.id, name: event.name, arguments: event.arguments } };
}
