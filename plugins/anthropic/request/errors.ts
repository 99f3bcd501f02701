import { UpstreamError } from "modelyard/plugin";

/** Creates the error for a field that this upstream can't honour and another may. */
export function unsupported(what: string, param: string): UpstreamError {
  return new UpstreamError("unsupported", `Anthropic's API ${what}`, { param });
}

/** Creates the error for a field that is invalid for every upstream. */
export function badRequest(message: string, param: string): UpstreamError {
  return new UpstreamError("bad-request", message, { param });
}
