import type { Harness } from "../harness/harness.ts";
import { CHAT_FIELDS } from "./chat-fields.ts";
import { expectCode } from "../checks/ends.ts";
import { scenarioOf } from "../upstreams/scenarios.ts";
import { RuleViolation, describeError, quoted } from "../harness/verdict.ts";

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
