import { UpstreamError } from "modelyard/plugin";

/** The error for what Gemini can't do and another upstream may; `param` is the path of the field. */
export function unsupported(param: string, what: string): UpstreamError {
  return new UpstreamError("unsupported", `${param}: ${what}`, { param });
}

/** The error for a field that is wrong whatever the upstream. */
export function badRequest(param: string, expected: string): UpstreamError {
  return new UpstreamError("bad-request", `${param} must be ${expected}`, { param });
}
