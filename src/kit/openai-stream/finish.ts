import { UpstreamError } from "../../contract/index.ts";
import type { FinishEvent, FinishReason, UpstreamErrorCode } from "../../contract/index.ts";
import { asString } from "../json/values.ts";
import type { MaybeJson } from "../json/values.ts";

/**
 * Returns the `finish` event for an upstream's `finish_reason`, or the error if the reason means failure. `native` is the
 * upstream's own word, kept where it isn't one of OpenAI's four.
 */
export function finishOf(reason: string, native: string): FinishEvent | UpstreamError {
  const word = wordOf(reason);
  const failure = FAILED.get(word) ?? FAILED.get(wordOf(native));
  if (failure)
    return new UpstreamError(failure, `the upstream ended its answer with ${quoted(reason, native)}`);
  const known = REASONS.get(word) ?? "stop";
  const own = native || reason;
  return own === known ? { type: "finish", reason: known } : { type: "finish", reason: known, native: own };
}

/** Returns the finish reason in a value; empty where it is absent, null, `"null"` or `"None"`. */
export function readFinishReason(value: MaybeJson): string {
  const word = asString(value);
  return /^(null|none)$/i.test(word) ? "" : word;
}

function wordOf(reason: string): string {
  return reason.toLowerCase().replaceAll("-", "_");
}

function quoted(reason: string, native: string): string {
  const own = native === "" || native === reason ? "" : ` (${native})`;
  return `"${reason}"${own}`;
}

// Any other word that is no failure means a normal end: `eos`, `end_turn`, `complete`.
const REASONS = new Map<string, FinishReason>([
  ["length", "length"],
  ["max_tokens", "length"],
  ["max_length", "length"],
  ["max_output_tokens", "length"],
  ["model_length", "length"],
  ["token_limit", "length"],
  ["model_context_window_exceeded", "length"],
  ["tool_calls", "tool_calls"],
  ["tool_call", "tool_calls"],
  ["tool_use", "tool_calls"],
  ["function_call", "tool_calls"],
  ["content_filter", "content_filter"],
  ["content_filtered", "content_filter"],
  ["safety", "content_filter"],
  ["recitation", "content_filter"],
  ["blocklist", "content_filter"],
  ["prohibited_content", "content_filter"],
  ["spii", "content_filter"],
  ["refusal", "content_filter"],
  ["sensitive", "content_filter"],
  ["language", "content_filter"],
  ["image_safety", "content_filter"],
  ["image_prohibited_content", "content_filter"],
  ["image_recitation", "content_filter"],
]);

const FAILED = new Map<string, UpstreamErrorCode>([
  ["error", "model-failed"],
  ["network_error", "failed"],
  ["insufficient_system_resource", "unavailable"],
  ["abort", "truncated"],
  ["aborted", "truncated"],
  ["cancelled", "truncated"],
  // Gemini's, through proxies: https://ai.google.dev/api/generate-content#FinishReason
  ["malformed_function_call", "model-failed"],
  ["malformed_response", "model-failed"],
  ["unexpected_tool_call", "model-failed"],
  ["too_many_tool_calls", "model-failed"],
  ["no_image", "model-failed"],
  ["image_other", "model-failed"],
  ["other", "model-failed"],
]);
