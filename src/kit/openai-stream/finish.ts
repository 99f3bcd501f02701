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
  const failure = meaningOf(word, FAILED) ?? meaningOf(wordOf(native), FAILED);
  if (failure) {
    const own = native === "" || native === reason ? "" : ` (${native})`;
    return new UpstreamError(failure, `the upstream ended its answer with "${reason}"${own}`);
  }
  const known = meaningOf(word, REASONS) ?? "stop";
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

/** The servers' words for OpenAI's reasons. Any other that is no failure means a normal end: `eos`, `end_turn`. */
const REASONS: readonly (readonly [RegExp, FinishReason])[] = [
  [
    /^(length|max_(tokens|length|output_tokens)|model_length|token_limit|model_context_window_exceeded)$/,
    "length",
  ],
  [/^(tool_calls?|tool_use|function_call)$/, "tool_calls"],
  [/^(content_filter(ed)?|refusal|sensitive|blocklist|spii|language)$/, "content_filter"],
  [/^(image_)?(safety|recitation|prohibited_content)$/, "content_filter"],
];

/** The words for failures, and Gemini's through proxies: https://ai.google.dev/api/generate-content#FinishReason */
const FAILED: readonly (readonly [RegExp, UpstreamErrorCode])[] = [
  [/^(error|malformed_(function_call|response)|unexpected_tool_call|too_many_tool_calls)$/, "model-failed"],
  [/^(no_image|image_other|other)$/, "model-failed"],
  [/^network_error$/, "failed"],
  [/^insufficient_system_resource$/, "unavailable"],
  [/^(abort|aborted|cancelled)$/, "truncated"],
];

function meaningOf<Meaning>(
  word: string,
  table: readonly (readonly [RegExp, Meaning])[],
): Meaning | undefined {
  return table.find(([words]) => words.test(word))?.[1];
}
