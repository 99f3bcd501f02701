import { LosslessNumber } from "../../../src/contract/index.ts";
import type { JsonObject } from "../../../src/contract/index.ts";
import type { Harness } from "../harness/harness.ts";
import { isReported, deliver } from "./delivery.ts";
import { LONG_NUMBER } from "../upstreams/scenarios.ts";
import { RuleViolation, describeError } from "../harness/verdict.ts";

/** The largest signed 64-bit integer, which generated schemas contain. */
const LARGEST = "9223372036854775807";

const TOOL = {
  type: "function",
  function: {
    name: "weather_of",
    description: "the weather of a city",
    parameters: {
      type: "object",
      properties: { id: { type: "integer", maximum: new LosslessNumber(LARGEST) } },
    },
  },
} as const satisfies JsonObject;

const REMEDY = "JSON.parse rounds such numbers: read JSON with parseJson or parseAsWritten of the kit";

/** 3.6: numbers that JavaScript can't hold keep their digits, in calls and in requests. */
export async function digits(harness: Harness): Promise<void> {
  for (const stream of [true, false]) {
    const { toolCalls, error } = await harness.answer("tools", { stream, tools: [TOOL] });
    if (error !== undefined) throw new RuleViolation(`the answer failed with ${describeError(error)}`);
    if (toolCalls.some((call) => call.arguments.includes(LONG_NUMBER))) continue;
    const said = toolCalls.map((call) => call.arguments).join(", ");
    throw new RuleViolation(
      `the upstream's calls have the number ${LONG_NUMBER}, the plugin's arguments are ${said}. ${REMEDY}, in the fixtures, too`,
    );
  }
  await harness.play("tools", async (play) => {
    const delivery = await deliver(play, { tools: [TOOL] });
    if (isReported("tools", delivery) || delivery.sent.includes(LARGEST)) return;
    throw new RuleViolation(
      `the client's tools have the number ${LARGEST}; it didn't reach the upstream. Copy values that you don't know as they are: such a number is a LosslessNumber`,
    );
  });
}
