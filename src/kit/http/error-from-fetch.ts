import { UpstreamError } from "../../contract/index.ts";
import { networkErrorCode } from "./errors.ts";

/**
 * The failure of a request that got no answer, in words that tell whether the server was reached. Bun's own errors name
 * the whole URL, with a key in its query where the upstream takes it there: they are no cause. Hosts, and a proxy as
 * `error.proxy` names it, are for the log.
 */
export function errorFromFetch(url: string | URL, error: unknown): UpstreamError {
  if (UpstreamError.is(error)) return error;
  const host = URL.parse(String(url))?.host ?? "a URL that is not valid";
  const code = networkErrorCode(error);
  const proxy = proxyOf(error);
  const detail = proxy === undefined ? `${host}: ${code}` : `${host} through the proxy ${proxy}: ${code}`;
  if (proxy !== undefined)
    return new UpstreamError("unreachable", "the upstream can't be reached through the proxy", { detail });
  // Not one of those after which the same server is worth another try: that would take as long again.
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

/** The parsers' codes, of the gateway's sockets and of `fetch`. */
const NO_HTTP = /^HPE_|^Malformed_HTTP_Response$|^UnrequestedUpgrade$/;

/** Of a connection that was there. */
const CLOSED_EARLY = /^(ECONNRESET|EPIPE|ConnectionClosed)$/;

const REASONS: readonly (readonly [RegExp, string])[] = [
  [/^(EPROTO|ERR_SSL_.*)$/, "can't be talked to over TLS"],
  [/CERT|^UNABLE_TO_|ISSUER|_CRL_/, "has a certificate that can't be trusted"],
];

function proxyOf(error: unknown): string | undefined {
  const proxy = error instanceof Error && "proxy" in error ? error.proxy : undefined;
  return typeof proxy === "string" ? proxy : undefined;
}
