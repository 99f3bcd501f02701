import type { Message } from "../../../src/contract/index.ts";
import { arrivalIn, deliver, isReported } from "./delivery.ts";
import type { Arrival } from "./delivery.ts";
import type { Harness, Play } from "../harness/harness.ts";
import { isSameJson, openCall, sameId, digits } from "./tool-calls.ts";
import { CHAT_FIELDS, COMPANIONS, EXACT } from "./chat-fields.ts";
import type { ChatField } from "./chat-fields.ts";
import type { Check } from "../checks/check.ts";
import { MESSAGES } from "./messages.ts";
import { scenarioOf } from "../upstreams/scenarios.ts";
import { RuleViolation, describeError } from "../harness/verdict.ts";

/** Level 3: messages, tools and parameters reach the upstream. */
export const PARAMETERS: readonly Check[] = [
  { rule: "3.1 tool-calls", scenarios: ["tools"], run: (harness) => toolCalls(harness, true) },
  { rule: "3.2 plain-tool-calls", scenarios: ["tools"], run: (harness) => toolCalls(harness, false) },
  { rule: "3.3 messages", scenarios: ["text"], run: messages },
  { rule: "3.4 fields", scenarios: ["text"], run: fields },

  { rule: "3.5 values", scenarios: ["text"], run: values },
  { rule: "3.6 digits", scenarios: ["tools"], run: digits },
  { rule: "3.8 same-id", scenarios: ["tools", "same-id"], run: sameId },
  { rule: "3.9 open-call", scenarios: ["tools", "open-call"], run: openCall },
  { rule: "3.10 usage-option", scenarios: ["text"], run: usageOption },
];

async function toolCalls(harness: Harness, stream: boolean): Promise<void> {
  const expected = scenarioOf("tools").answer.toolCalls;
  const { tools } = CHAT_FIELDS;
  const { toolCalls: calls, finishes, error } = await harness.answer("tools", { stream, tools });
  if (error !== undefined) throw new RuleViolation(`the answer failed with ${describeError(error)}`);
  const indexes = calls.map(({ index }) => index).join(", ");
  if (indexes !== "0, 1")
    throw new RuleViolation(`the upstream made two calls; the plugin's indexes are: ${indexes}`);
  for (const [index, call] of calls.entries()) {
    const wanted = expected[index];
    if (call.names.join("") !== wanted?.name) {
      throw new RuleViolation(`call ${index} is named "${call.names.join("")}" and not "${wanted?.name}"`);
    }
    if (!isSameJson(call.arguments, wanted.arguments)) {
      throw new RuleViolation(
        `the arguments of call ${index} are ${call.arguments} and not ${wanted.arguments}`,
      );
    }
  }
  const [first, second] = calls.map(({ ids }) => ids.join(""));
  if (first !== "" && first === second) throw new RuleViolation(`both calls have the id "${first}"`);
  // The gateway turns `stop` into `tool_calls`: some upstreams know no other reason.
  const reasons = finishes.map(({ reason }) => reason).join(", ");
  if (reasons !== "tool_calls" && reasons !== "stop")
    throw new RuleViolation(`the finish reason is "${reasons}"`);
}

async function messages(harness: Harness): Promise<void> {
  await harness.play("text", async (play) => {
    for (const [what, { messages: said, marks }] of Object.entries(MESSAGES)) {
      const delivery = await deliver(play, { messages: said as readonly Message[] });
      const lost = marks.filter((mark) => !delivery.received.includes(mark));
      if (lost.length === 0 || isReported("messages", delivery) || isReported("tools", delivery)) continue;
      if (harness.fixtures.handled?.["messages"] !== undefined) continue;
      throw new RuleViolation(`of ${what} "${lost[0]}" didn't reach the upstream, and wasn't reported`);
    }
  });
}

async function fields(harness: Harness): Promise<string> {
  const handled = harness.fixtures.handled ?? {};
  const names = Object.keys(CHAT_FIELDS) as ChatField[];
  const arrivals = await harness.play("text", async (play) => {
    const found = new Map<ChatField, Arrival>();
    // One-time work, such as signing up, is done by this request.
    await deliver(play, {});
    for (const name of names.filter((field) => handled[field] === undefined)) {
      found.set(name, await arrivalOf(play, name, wantedOf(name, harness.fixtures)));
    }
    return [...found];
  });
  const lost = arrivals.filter(([, arrival]) => arrival === "dropped").map(([name]) => name);
  if (lost.length > 0) {
    throw new RuleViolation(
      `dropped without notice: ${lost.join(", ")}. Send it, call call.ignored(field, why), or throw UpstreamError("unsupported", …, { param })`,
    );
  }
  const unseen = arrivals.filter(([, arrival]) => arrival === "unclear").map(([name]) => name);
  if (unseen.length > 0) {
    throw new RuleViolation(
      `can't tell whether these arrived: ${unseen.join(", ")}. Two equal requests differ here; \`received\` should hold only requests for an answer`,
    );
  }
  return namesWithReasons(Object.entries(handled));
}

function namesWithReasons(handled: readonly (readonly [string, string])[]): string {
  return handled.map(([field, how]) => `${field}: ${how}`).join("; ");
}

/** Returns whether a field arrived. Reporting it as ignored or refused counts as arrival. */
async function arrivalOf(play: Play, name: ChatField, wanted: readonly string[]): Promise<Arrival> {
  const companions = Object.fromEntries((COMPANIONS[name] ?? []).map((field) => [field, CHAT_FIELDS[field]]));
  const without = await deliver(play, companions);
  const again = await deliver(play, companions);
  const delivery = await deliver(play, { ...companions, [name]: CHAT_FIELDS[name] });
  if (isReported(name, delivery)) return "arrived";
  // A refused companion makes the field irrelevant.
  if (Object.keys(companions).some((companion) => isReported(companion, delivery))) return "arrived";
  const isNew = (value: string) =>
    holds(delivery.received, value) && ![without, again].some(({ received }) => holds(received, value));
  if (wanted.length > 0 && wanted.every(isNew)) return "arrived";
  return arrivalIn(delivery.received, [without.received, again.received]);
}

async function usageOption(harness: Harness): Promise<void> {
  await harness.play("text", async (play) => {
    const delivery = await deliver(play, { stream: true, stream_options: { include_usage: true } });
    if (!isReported("stream_options", delivery)) return;
    throw new RuleViolation("`stream_options.include_usage` was reported, which the gateway itself honours");
  });
}

async function values(harness: Harness): Promise<string> {
  const { handled = {}, translated = {} } = harness.fixtures;
  const names = (Object.keys(CHAT_FIELDS) as ChatField[]).filter(
    (name) => EXACT[name] !== undefined || translated[name] !== undefined,
  );
  await harness.play("text", async (play) => {
    for (const name of names.filter((field) => handled[field] === undefined)) {
      const wanted = wantedOf(name, harness.fixtures);
      const without = await deliver(play, {});
      const delivery = await deliver(play, { [name]: CHAT_FIELDS[name] });
      if (isReported(name, delivery) || delivery.received === without.received) continue;
      const missing = wanted.find((value) => !holds(delivery.received, value));
      if (missing === undefined) continue;
      throw new RuleViolation(
        `the client gave ${name} ${JSON.stringify(CHAT_FIELDS[name])}; ${missing} didn't reach the upstream. If your upstream uses other values, set \`translated\` or \`handled\` in the fixtures`,
      );
    }
  });
  return namesWithReasons(names.flatMap((name) => (handled[name] ? [[name, handled[name]] as const] : [])));
}

/** Returns the texts that the upstream's request must contain if a field reaches it. */
function wantedOf(name: ChatField, { translated }: Harness["fixtures"]): readonly string[] {
  const translate = translated?.[name];
  if (!translate) return EXACT[name] ?? [];
  const value = translate(CHAT_FIELDS[name]);
  const parts = Array.isArray(value) ? value : [value];
  return parts.map((part) => (typeof part === "string" ? part : JSON.stringify(part)));
}

/** Returns whether a request contains a value; a number only if it isn't part of another number. */
function holds(received: string, value: string): boolean {
  if (Number.isNaN(Number(value))) return received.includes(value);
  return new RegExp(`(?<![\\d.-])${value.replaceAll(".", "\\.")}(?![\\d.])`).test(received);
}
