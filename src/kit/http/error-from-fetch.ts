import { UpstreamError } from "../../contract/index.ts";
import { networkErrorCode } from "./errors.ts";

/**
 * Returns the error for a request without a response; the message tells whether the server was reached. The host and
 * the proxy (`error.proxy`) stand in `detail`, for the log. Bun's own error is not the cause, because it names the whole
 * URL, which may carry a key.
 */
export function errorFromFetch(url: string | URL, error: unknown): UpstreamError {
  if (UpstreamError.is(error)) return error;
  const host = URL.parse(String(url))?.host ?? "a URL that is not valid";
  const code = networkErrorCode(error);
  const proxy = proxyOf(error);
  const detail = proxy === undefined ? `${host}: ${code}` : `${host} through the proxy ${proxy}: ${code}`;
  if (proxy !== undefined)
    return new UpstreamError("unreachable", "the upstream can't be reached through the proxy", { detail });
  // `timeout`, because a retry on the same server would take as long again.
  if (code === "ETIMEDOUT") {
    const message = "the upstream did not accept a connection in time (timeouts.connect)";
    return new UpstreamError("timeout", message, { detail });
  }
  if (NO_HTTP.test(code))
    return new UpstreamError("bad-response", "the upstream answered with what is no HTTP", { detail });
  if (CLOSED_EARLY.test(code))
    return new UpstreamError("unavailable", "the upstream closed the connection without an answer", {
      detail,
    });
  const [, words = "can't be reached"] = REASONS.find(([pattern]) => pattern.test(code)) ?? [];
  return new UpstreamError("unreachable", `the upstream ${words}`, { detail });
}

/** The codes of the HTTP parsers, those of the gateway's client and of `fetch`. */
const NO_HTTP = /^HPE_|^Malformed_HTTP_Response$|^UnrequestedUpgrade$/;

/** The codes of an established connection that closed. */
const CLOSED_EARLY = /^(ECONNRESET|EPIPE|ConnectionClosed)$/;

const REASONS: readonly (readonly [RegExp, string])[] = [
  [/^(EPROTO|ERR_SSL_.*)$/, "can't be talked to over TLS"],
  [/CERT|^UNABLE_TO_|ISSUER|_CRL_/, "has a certificate that can't be trusted"],
];

function proxyOf(error: unknown): string | undefined {
  const proxy = error instanceof Error && "proxy" in error ? error.proxy : undefined;
  return typeof proxy === "string" ? proxy : undefined;
}
