import { UpstreamError } from "../../contract/index.ts";
import { onOneLine } from "../json/values.ts";

/** The failure of an answer, or of a part of it, that is no completion. */
export function notUnderstood(said: string): UpstreamError {
  const detail = onOneLine(said);
  return new UpstreamError("bad-response", "the upstream sent something that is no completion", { detail });
}
