import { UpstreamError } from "../../contract/index.ts";
import { excerpt } from "../json.ts";

/** The failure of an answer, or of a part of it, that is no completion. */
export function notUnderstood(said: string): UpstreamError {
  const start = excerpt(said, 200);
  return new UpstreamError("bad-response", `the upstream sent something that is no completion: ${start}`);
}
