import { UpstreamError } from "modelyard/plugin";

/** What this upstream can't do and another may: `param` is the field that asks for it. */
export function unsupported(what: string, param: string): UpstreamError {
  return new UpstreamError("unsupported", `Anthropic's API ${what}`, { param });
}

/** A field that is wrong whoever is asked. */
export function badRequest(message: string, param: string): UpstreamError {
  return new UpstreamError("bad-request", message, { param });
}

/**
 * The same error with the right one to blame: an account without credit is told with 400, as if the request
 * were wrong, where it is the key that can't be used.
 */
export function blamed(error: unknown): unknown {
  if (!UpstreamError.is(error) || error.code !== "bad-request") return error;
  if (!/credit balance is too low/i.test(error.message)) return error;
  return new UpstreamError("rate-limited", error.message, { cause: error });
}
