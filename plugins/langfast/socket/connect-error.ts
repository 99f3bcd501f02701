import { UpstreamError } from "modelyard/plugin";
import type { Json } from "modelyard/plugin";
import { numberIn } from "../json.ts";

const OVERLOADED = /overload|capacity|too many|rate.?limit|try again|busy|maintenance|unavailable/i;

/**
 * Why a socket didn't open. The server's own word (it has `data`, be it undefined) is about the credential unless
 * it says otherwise; anything else is about the way there.
 */
export function refusalOf(error: Error): UpstreamError {
  if (!("data" in error)) {
    return new UpstreamError("unreachable", "the prompt runner can't be reached", { detail: error.message });
  }
  const status = numberIn(error.data as Json | undefined, "status") ?? 0;
  const message = `the prompt runner refuses the connection: ${error.message}`;
  if (status === 429) return new UpstreamError("rate-limited", message);
  if (status === 401 || status === 403) return new UpstreamError("rejected", message);
  // It is another address, or another protocol, that would be right; not another user.
  if (status === 400 || status === 404 || /invalid namespace/i.test(error.message))
    return new UpstreamError("unavailable", message);
  if (status >= 500 || OVERLOADED.test(error.message)) return new UpstreamError("unavailable", message);
  return new UpstreamError("rejected", message);
}
