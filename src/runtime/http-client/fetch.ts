import { TAKES_CANCELLING } from "../cancel-token.ts";
import { BunFetch } from "./bun-fetch.ts";
import type { ClientTimeouts } from "./client.ts";
import { Client } from "./client.ts";
import type { DecodingError } from "./decoding.ts";
import { findParser } from "./llhttp.ts";
import { Addresses, fastPathRequest } from "./request.ts";

type Fetch = typeof fetch;

export interface ClientOptions {
  /** Whether sockets of our own are used where they can be; else Bun's `fetch` sends everything. */
  readonly ownClient: boolean;
  /** The proxy for an address; undefined: it is reached directly, or, without the function, everything is. */
  readonly proxyFor?: ((url: URL) => URL | undefined) | undefined;
  /** Certificates (PEM) to trust in place of the usual ones. */
  readonly authorities?: string | undefined;
  readonly decodingError: DecodingError;
}

/** Returns a `fetch` with these deadlines. */
export type FetchWithin = (timeouts: ClientTimeouts) => Fetch;

/**
 * A `fetch` for plain requests to upstreams: GET or POST with a whole body, whose redirects aren't followed. It sends
 * them over sockets of this thread, which notice a connection that is dead, tell when a connection stands, and have
 * none of Bun's bound on requests at once. All else, and what goes through a proxy, is sent by Bun's `fetch`.
 */
export function clientFetch(options: ClientOptions): FetchWithin {
  const { proxyFor, authorities, decodingError } = options;
  const parser = options.ownClient ? findParser() : undefined;
  const own = parser && new Client({ parser, authorities }, decodingError);
  const addresses = new Addresses();
  const bun = new BunFetch({ proxyFor, authorities, decodingError });
  return (timeouts) => {
    const outbound = (...sent: Parameters<Fetch>): Promise<Response> => {
      const request = fastPathRequest(addresses, ...sent);
      if (!request) return bun.send(...sent);
      const proxy = request.proxy ?? proxyFor?.(new URL(request.url));
      if (own && !proxy) return own.ask(request, timeouts);
      return bun.ask(request, timeouts, sent[1]);
    };
    return Object.assign(outbound, { preconnect: fetch.preconnect, [TAKES_CANCELLING]: true });
  };
}
