import { UpstreamError } from "modelyard/plugin";

/** What this upstream can't do and another may: `param` is the field that asks for it. */
export function unsupported(what: string, param: string): UpstreamError {
  return new UpstreamError("unsupported", `Anthropic's API ${what}`, { param });
}

/** A field that is wrong whoever is asked. */
export function badRequest(message: string, param: string): UpstreamError {
  return new UpstreamError("bad-request", message, { param });
}
