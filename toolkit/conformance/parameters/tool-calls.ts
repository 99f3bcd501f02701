import type { Harness } from "../harness/harness.ts";
import { CHAT_FIELDS } from "./chat-fields.ts";
import { expectCode } from "../checks/ends.ts";
import { scenarioOf, LONG_NUMBER } from "../upstreams/scenarios.ts";
import { RuleViolation, describeError, quoted } from "../harness/verdict.ts";
import { LosslessNumber } from "../../../src/contract/index.ts";
import type { JsonObject } from "../../../src/contract/index.ts";
import { isReported, deliver } from "./delivery.ts";

const { tools } = CHAT_FIELDS;

/** 3.8: the gateway makes equal ids unique, if the plugin keeps the two calls apart. */
export async function sameId(harness: Harness): Promise<void> {
  const expected = scenarioOf("same-id").answer.toolCalls.map((call) => call.arguments);
  for (const stream of [true, false]) {
    const { toolCalls, error } = await harness.answer("same-id", { stream, tools });
    if (error !== undefined) throw new RuleViolation(`the answer failed with ${describeError(error)}`);
    const found = toolCalls.map((call) => call.arguments);
    const isSame =
      found.length === 2 && found.every((json, place) => isSameJson(json, expected[place] ?? ""));
    if (isSame) continue;
    throw new RuleViolation(
      `the upstream made two calls under one id; the plugin's calls are: ${found.join(" and ")}`,
    );
  }
}

/** 3.9: the gateway detects truncated arguments, if the plugin passes them on unchanged. */
export async function openCall(harness: Harness): Promise<void> {
  const [said] = scenarioOf("open-call").answer.toolCalls;
  const { toolCalls, finishes, error } = await harness.answer("open-call", { stream: true, tools });
  if (error !== undefined) return expectCode(error, ["bad-response", "failed", "truncated"]);
  const found = toolCalls.map((call) => call.arguments).join("");
  if (finishes.length === 0 || found === said?.arguments) return;
  throw new RuleViolation(
    `the upstream's arguments are ${quoted(said?.arguments ?? "")}, and the plugin's ${quoted(found)}`,
  );
}

export function isSameJson(one: string, other: string): boolean {
  try {
    return Bun.deepEquals(JSON.parse(one), JSON.parse(other));
  } catch {
    return false;
  }
}

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
