import { UpstreamError } from "../../contract/index.ts";
import { singleLine } from "../json/values.ts";

/** The failure of an answer, or of a part of it, that is no completion. */
export function notACompletion(said: string): UpstreamError {
  const detail = singleLine(said);
  return new UpstreamError("bad-response", "the upstream sent something that is no completion", { detail });
}
