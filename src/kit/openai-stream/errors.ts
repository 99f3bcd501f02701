import { UpstreamError } from "../../contract/index.ts";
import { singleLine } from "../json/values.ts";

/** Returns the error for an answer, or a part of it, that is no completion. */
export function notACompletion(text: string): UpstreamError {
  const detail = singleLine(text);
  return new UpstreamError("bad-response", "the upstream sent something that is no completion", { detail });
}
