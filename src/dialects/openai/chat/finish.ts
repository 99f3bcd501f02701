import type { FinishEvent, JsonObject } from "../../../contract/index.ts";

/** The one reason of OpenAI's that the contract has no word for: what requests with `functions` end with. */
const FUNCTION_CALL = "function_call";

/** OpenAI's `finish_reason`. */
export function finishReason({ reason, native }: FinishEvent): string {
  return reason === "tool_calls" && native === FUNCTION_CALL ? FUNCTION_CALL : reason;
}

/** The upstream's own words about the end, beside `finish_reason`. */
export function finishFields({ native, stopSequence, fields }: FinishEvent): JsonObject {
  const own = native === FUNCTION_CALL ? undefined : native;
  return { native_finish_reason: own, stop_sequence: stopSequence, ...fields };
}
