import { UpstreamError } from "../contract/index.ts";
import { networkErrorCode } from "./failure.ts";

/**
 * The failure of a request that got no answer, in words that tell whether the server was reached. Bun's own errors name
 * the whole URL, with a key in its query where the upstream takes it there: they are no cause. A proxy is named as
 * `error.proxy` says.
 */
export function unreachable(url: string | URL, error: unknown): UpstreamError {
  if (UpstreamError.is(error)) return error;
  const host = URL.parse(String(url))?.host ?? "the upstream (its URL is not valid)";
  const code = networkErrorCode(error);
  const proxy = proxyOf(error);
  if (proxy !== undefined)
    return new UpstreamError("unavailable", `can't reach ${host} through the proxy ${proxy}: ${code}`);
  // Not one of those after which the same server is worth another try: that would take as long again.
  if (code === "ETIMEDOUT")
    return new UpstreamError("timeout", `${host} did not accept a connection in time (timeouts.connect)`);
  if (NO_HTTP.test(code))
    return new UpstreamError("bad-response", `${host} answered with what is no HTTP: ${code}`);
  const [, words] = REASONS.find(([pattern]) => pattern.test(code)) ?? [];
  return new UpstreamError("unavailable", `${words ? `${host} ${words}` : `can't reach ${host}`}: ${code}`);
}

/** The parsers' codes, of the gateway's sockets and of `fetch`. */
const NO_HTTP = /^HPE_|^Malformed_HTTP_Response$|^UnrequestedUpgrade$/;

const REASONS: readonly (readonly [RegExp, string])[] = [
  [/^(ECONNRESET|EPIPE|ConnectionClosed)$/, "closed the connection without an answer"],
  [/^(EPROTO|ERR_SSL_.*)$/, "can't be talked to over TLS"],
  [/CERT|^UNABLE_TO_|ISSUER|_CRL_/, "has a certificate that can't be trusted"],
];

function proxyOf(error: unknown): string | undefined {
  const proxy = error instanceof Error && "proxy" in error ? error.proxy : undefined;
  return typeof proxy === "string" ? proxy : undefined;
}
