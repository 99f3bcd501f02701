import { UpstreamError } from "../contract/index.ts";
import type { ClientOptions, FetchWithin } from "../runtime/http-client/fetch.ts";
import { clientFetch } from "../runtime/http-client/fetch.ts";

/** Returns the `fetch` of upstreams. A body that can't be decoded fails with `UpstreamError` `bad-response`. */
export function upstreamFetch(options: Omit<ClientOptions, "decodingError">): FetchWithin {
  return clientFetch({ ...options, decodingError });
}

function decodingError(codings: readonly string[]): UpstreamError {
  const name = codings.join(", ").slice(0, 100);
  return new UpstreamError(
    "bad-response",
    `the upstream's answer can't be read: it is not in its content-encoding, or that is unknown (${JSON.stringify(name)})`,
  );
}
