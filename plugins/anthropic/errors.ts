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
 * The same error with the right one to blame: an account without credit, or at the limit that it has set itself, is
 * told with 400, as if the request were wrong, where it is the key that can't be used.
 */
export function blamed(error: unknown): unknown {
  if (!UpstreamError.is(error) || error.code !== "bad-request") return error;
  if (/organization has been disabled/i.test(error.message))
    return new UpstreamError("rejected", error.message, { cause: error });
  if (!/credit balance is too low|specified API usage limits/i.test(error.message)) return error;
  const retryAfterMs = untilAccess(error.message);
  return new UpstreamError("rate-limited", error.message, {
    cause: error,
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  });
}

/** `You will regain access on 2026-12-01 at 00:00 UTC.` */
function untilAccess(message: string): number | undefined {
  const [, day, time] = /regain access on (\d{4}-\d\d-\d\d) at (\d\d:\d\d) UTC/.exec(message) ?? [];
  const left = Date.parse(`${day}T${time}Z`) - Date.now();
  return left > 0 ? left : undefined;
}
