import type { FinishEvent, FinishReason, JsonObject } from "../../../contract/index.ts";

/** Anthropic's words for the end of an answer, by what they mean. */
const NATIVE: ReadonlyMap<string, FinishReason> = new Map([
  ["end_turn", "stop"],
  ["stop_sequence", "stop"],
  ["pause_turn", "stop"],
  ["max_tokens", "length"],
  ["model_context_window_exceeded", "length"],
  ["tool_use", "tool_calls"],
  ["refusal", "content_filter"],
]);

const REASONS: Readonly<Record<FinishReason, string>> = {
  stop: "end_turn",
  length: "max_tokens",
  tool_calls: "tool_use",
  content_filter: "refusal",
};

/** Whether an answer ended before the model had said all that it wanted, so that its last call may be half. */
export function isCut({ reason }: FinishEvent): boolean {
  return reason === "length" || reason === "content_filter";
}

/** Returns the members of a message that say how it ended. `hasRefusal`: the model refused in words of their own. */
export function stopMembers(finish: FinishEvent, hasRefusal: boolean): JsonObject {
  const { stopSequence, fields } = finish;
  const details = fields?.["stop_details"];
  return {
    stop_reason: hasRefusal && finish.reason === "stop" ? "refusal" : stopReason(finish),
    stop_sequence: stopSequence ?? null,
    ...(details !== undefined && details !== null && { stop_details: details }),
  };
}

function stopReason({ reason, native = "", stopSequence }: FinishEvent): string {
  if (NATIVE.get(native) === reason) return native;
  return reason === "stop" && stopSequence !== undefined ? "stop_sequence" : REASONS[reason];
}
