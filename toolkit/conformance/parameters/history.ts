import { UpstreamError } from "../../../src/contract/index.ts";
import type { JsonObject, Message } from "../../../src/contract/index.ts";
import type { Harness, Play } from "../harness/harness.ts";
import type { Check } from "../checks/check.ts";
import { deliver, isReported } from "./delivery.ts";
import type { Delivery } from "./delivery.ts";
import { RuleViolation, describeError } from "../harness/verdict.ts";

/** Level 3: a conversation can be continued. */
export const HISTORY: readonly Check[] = [{ rule: "3.7 history", scenarios: ["text"], run: history }];

const QUESTION: Message = { role: "user", content: "What about the mark-question?" };

/** Histories of agents and chat clients that upstreams are known to refuse. */
const HISTORIES: Readonly<Record<string, readonly Message[]>> = {
  "a tool that failed without output": turn(
    [call("call_1", "mark_get")],
    [{ ...result("call_1", ""), is_error: true }],
  ),
  "a tool call whose arguments were cut off": turn(
    [call("call_1", "mark_get", '{"city":"mark-c')],
    [result("call_1", "mark-a")],
  ),
  "a tool result whose call isn't there": [QUESTION, result("call_9", "mark-a")],
  "a message of the user between two results": turn(
    [call("call_1", "mark_get"), call("call_2", "mark_put")],
    [result("call_2", "mark-b"), QUESTION, result("call_1", "mark-a")],
  ),
  "a blank message at the end": [
    QUESTION,
    { role: "assistant", content: "mark-said" },
    { role: "user", content: " " },
  ],
  "two calls with one id": twoCalls("call_1", "call_1"),
};

async function history(harness: Harness): Promise<void> {
  await harness.play("text", async (play) => {
    for (const [what, messages] of Object.entries(HISTORIES)) {
      requireTaken(what, await deliver(play, { messages }));
    }
    if (harness.fixtures.handled?.["messages"] === undefined) await requireMatched(play);
  });
}

function requireTaken(what: string, { outcome: { error } }: Delivery): void {
  if (error === undefined) return;
  const isRefusal = UpstreamError.is(error) && (error.code === "unsupported" || error.code === "bad-request");
  const place = UpstreamError.is(error) ? (error.param ?? "") : "";
  if (isRefusal && /^(messages|tools)\b/.test(place)) return;
  throw new RuleViolation(
    isRefusal
      ? `${what} was refused without the field in \`param\`: ${describeError(error)}`
      : `${what} ended the request with ${describeError(error)}`,
  );
}

/** Results of calls with equal ids must reach the upstream as those of calls with different ids do. */
async function requireMatched(play: Play): Promise<void> {
  const [apart, alike] = [
    await deliver(play, { messages: twoCalls("call_1", "call_2") }),
    await deliver(play, { messages: twoCalls("call_1", "call_1") }),
  ];
  if ([apart, alike].some((delivery) => isReported("messages", delivery) || isReported("tools", delivery)))
    return;
  const [wanted, found] = [marksIn(apart.received), marksIn(alike.received)];
  if (wanted === found) return;
  throw new RuleViolation(
    `of two calls with one id the results reached the upstream as ${found}, and of two with different ids as ${wanted}`,
  );
}

function marksIn(received: string): string {
  return (received.match(/mark[_-]\w+/g) ?? []).join(" ");
}

function twoCalls(first: string, second: string): readonly Message[] {
  return turn(
    [call(first, "mark_get"), call(second, "mark_put")],
    [result(first, "mark-a"), result(second, "mark-b")],
  );
}

function turn(calls: readonly JsonObject[], after: readonly Message[]): readonly Message[] {
  return [QUESTION, { role: "assistant", content: null, tool_calls: calls }, ...after];
}

function call(id: string, name: string, args = "{}"): JsonObject {
  return { id, type: "function", function: { name, arguments: args } };
}

function result(id: string, content: string): Message {
  return { role: "tool", tool_call_id: id, content };
}
