import { cancelTokenOf } from "../cancel-token.ts";
import type { Renewable } from "../cancel-token.ts";
import type { ClientTimeouts } from "./client.ts";
import type { DecodingError } from "./decoding.ts";
import { codingsOf, decoded } from "./decoding.ts";
import type { ClientRequest } from "./request.ts";
import { FetchedResponse } from "./response.ts";

type FetchArguments = Parameters<typeof fetch>;
type Init = BunFetchRequestInit;

/** Idle connections are closed after these seconds, or up to eight more: Bun's timer is coarse. */
const IDLE_S = 4;
/** Time after an answer in which its connection may be reused, in ms. */
const KEPT_MS = (IDLE_S + 8) * 1000;

/** Limit of the servers whose last answer is remembered; upstreams are a handful. */
const MAX_SERVERS = 256;

interface BunFetchOptions {
  /** The proxy for an address, where the environment names any. */
  readonly proxyFor: ((url: URL) => URL | undefined) | undefined;
  /** Certificates (PEM) to trust in place of the usual ones. */
  readonly authorities: string | undefined;
  readonly decodingError: DecodingError;
}

/** Bun's `fetch` with a pool of connections of its own. */
export class BunFetch {
  readonly #options: BunFetchOptions;
  readonly #session: Bun.FetchSession;
  /** When a server last answered, by `Date.now()`: Bun doesn't tell whether it reuses a connection. */
  readonly #answered = new Map<string, number>();

  constructor(options: BunFetchOptions) {
    this.#options = options;
    const { authorities } = options;
    this.#session = new Bun.FetchSession({
      keepAlive: { idleTimeout: IDLE_S },
      ...(authorities !== undefined && { tls: { ca: authorities } }),
    });
  }

  /** Sends any request, as `fetch` does. */
  send(input: FetchArguments[0], init: Init = {}): Promise<Response> {
    const cancelling = cancelTokenOf(init);
    const url = URL.parse(input instanceof Request ? input.url : String(input));
    const proxy = init.proxy ?? this.#proxyFor(url);
    return this.#session.fetch(input, { ...init, proxy, ...(cancelling && { signal: cancelling.signal }) });
  }

  /**
   * Sends a plain request. It is sent again over a new connection if its connection may have been used before and ends,
   * or is silent for too long, before the head of an answer. Content codings are undone as by `decoded`. A network error
   * of a proxy has the proxy as its `proxy`.
   */
  async ask(request: ClientRequest, timeouts: ClientTimeouts, init: Init = {}): Promise<Response> {
    const { url, server, cancelling } = request;
    // Chosen here: Bun would choose otherwise for this machine's own addresses.
    const proxy = request.proxy ?? this.#proxyFor(URL.parse(url));
    const signal = cancelling?.signal;
    const whole: Init = { ...init, proxy, decompress: false, ...(signal && { signal }) };
    try {
      const response = await this.#ask(request, timeouts, whole);
      if (proxy && response.status === 407) throw await refused(response);
      this.#noteAnswer(server);
      return this.#decoded(response, url);
    } catch (error) {
      throw proxy ? named(error, proxy) : error;
    }
  }

  #ask(request: ClientRequest, timeouts: ClientTimeouts, init: Init): Promise<Response> {
    const mayBeUsed = (this.#answered.get(request.server) ?? 0) + KEPT_MS > Date.now();
    return mayBeUsed ? this.#askTwice(request, timeouts, init) : this.#session.fetch(request.url, init);
  }

  async #askTwice(
    { url, cancelling }: ClientRequest,
    timeouts: ClientTimeouts,
    init: Init,
  ): Promise<Response> {
    const first = new FirstTry();
    const timer = setTimeout(() => first.renew(), timeouts.connect + timeouts.first_event);
    if (cancelling) cancelling.renewable = first;
    const signals = [first.signal, ...(init.signal ? [init.signal] : [])];
    try {
      return await this.#session.fetch(url, { ...init, signal: AbortSignal.any(signals) });
    } catch (error) {
      if (cancelling?.reason !== undefined || !(first.isGivenUp || isClosed(error))) throw error;
    } finally {
      clearTimeout(timer);
      first.isOver = true;
    }
    this.#session.close();
    return this.#session.fetch(url, { ...init, keepalive: false });
  }

  #decoded(response: Response, url: string): Response {
    const codings = codingsOf(response.headers.get("content-encoding") ?? "");
    if (codings.length === 0 || !response.body) return response;
    const headers = Object.fromEntries(response.headers);
    delete headers["content-encoding"];
    delete headers["content-length"];
    const { status, statusText } = response;
    const body = decoded(response.body, codings, this.#options.decodingError);
    return new FetchedResponse(body, { status, statusText, headers }, url);
  }

  #noteAnswer(server: string): void {
    if (this.#answered.size >= MAX_SERVERS) this.#answered.clear();
    this.#answered.set(server, Date.now());
  }

  #proxyFor(url: URL | null): FetchProxyChoice {
    const proxy = url && this.#options.proxyFor?.(url);
    return proxy ? { url: proxy, respectNoProxy: false } : false;
  }
}

type FetchProxyChoice = Exclude<Init["proxy"], undefined>;

/** The first attempt of a request, whose connection may be dead. */
class FirstTry implements Renewable {
  readonly #controller = new AbortController();
  isOver = false;

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get isGivenUp(): boolean {
    return this.signal.aborted;
  }

  renew(): boolean {
    if (this.isOver || this.isGivenUp) return false;
    this.#controller.abort();
    return true;
  }
}

function isClosed(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ECONNRESET";
}

/** Marks a network error with its proxy, without the password. The reason of a cancellation stays as it is. */
function named(error: unknown, proxy: FetchProxyChoice): unknown {
  if (!(error instanceof Error && "code" in error && typeof error.code === "string")) return error;
  const url = URL.parse(String(typeof proxy === "object" && "url" in proxy ? proxy.url : proxy));
  return Object.assign(error, { proxy: url ? `${url.protocol}//${url.host}` : "" });
}

async function refused(response: Response): Promise<Error> {
  await response.body?.cancel();
  return Object.assign(new Error("the proxy refused the request"), { code: "status 407" });
}
