import { UpstreamError } from "modelyard/plugin";
import type { FinishEvent, FinishReason, UpstreamErrorCode } from "modelyard/plugin";

/** https://ai.google.dev/api/generate-content#FinishReason */
const REASONS = new Map<string, FinishReason>([
  ["STOP", "stop"],
  ["MAX_TOKENS", "length"],
  ["CONTINUATION", "length"],
  ["SAFETY", "content_filter"],
  ["RECITATION", "content_filter"],
  ["LANGUAGE", "content_filter"],
  ["BLOCKLIST", "content_filter"],
  ["PROHIBITED_CONTENT", "content_filter"],
  ["SPII", "content_filter"],
  ["IMAGE_SAFETY", "content_filter"],
  ["IMAGE_PROHIBITED_CONTENT", "content_filter"],
  ["IMAGE_RECITATION", "content_filter"],
]);

/** Ends that leave no answer worth the name; another try, or another model, may give one. */
const FAILED = new Map<string, UpstreamErrorCode>([
  ["MALFORMED_FUNCTION_CALL", "model-failed"],
  ["MALFORMED_RESPONSE", "model-failed"],
  ["UNEXPECTED_TOOL_CALL", "model-failed"],
  ["TOO_MANY_TOOL_CALLS", "model-failed"],
  ["NO_IMAGE", "model-failed"],
  ["IMAGE_OTHER", "model-failed"],
  ["OTHER", "model-failed"],
  ["MISSING_THOUGHT_SIGNATURE", "bad-request"],
]);

/** The `finish` event for a `finishReason`, or the error where it means that the model failed. */
export function finishOf(native: string, message: string): FinishEvent | UpstreamError {
  const failure = FAILED.get(native);
  if (!failure) return { type: "finish", reason: REASONS.get(native) ?? "stop", native };
  const details = message === "" ? "" : `: ${message}`;
  return new UpstreamError(failure, `Gemini ended its answer with ${native}${details}`);
}
