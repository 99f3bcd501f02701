import { UpstreamError } from "modelyard/plugin";

/** Creates the error for a field that Gemini can't honour and another upstream may; `param` is its path. */
export function unsupported(param: string, what: string): UpstreamError {
  return new UpstreamError("unsupported", `${param}: ${what}`, { param });
}

/** Creates the error for a field that is invalid for every upstream. */
export function badRequest(param: string, expected: string): UpstreamError {
  return new UpstreamError("bad-request", `${param} must be ${expected}`, { param });
}
