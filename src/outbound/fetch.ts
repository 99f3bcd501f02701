import type { Cancelling } from "../contract/cancelling.ts";
import { cancellingOf, TAKES_CANCELLING } from "../contract/cancelling.ts";
import type { Connection, Origin } from "./connection.ts";
import { Connections } from "./connections.ts";
import type { Exchange } from "./exchange.ts";
import type { AnswerHead, ParserMaker, RawHeaders } from "./llhttp.ts";
import { findParser } from "./llhttp.ts";
import type { OutboundRequest } from "./request.ts";
import { plainRequest, requestBytes } from "./request.ts";
import { OutboundResponse, streamOf } from "./response.ts";

type Fetch = typeof fetch;

/**
 * A `fetch` that takes the shortest way to servers on this machine or near by: plain requests over unencrypted HTTP
 * go over sockets of this thread, which takes half of the time of Bun's own `fetch` and has none of its bound on
 * requests at once. All else goes the usual way. `proxied` tells whether the environment names a proxy for
 * unencrypted HTTP, which only the usual way knows.
 */
export function outboundFetch(usual: Fetch, { proxied }: { readonly proxied: boolean }): FetchWithin {
  const parser = proxied ? undefined : findParser();
  if (!parser) return () => usual;
  const client = new Client(parser);
  return (connectMs) => {
    const outbound = (...sent: Parameters<Fetch>): Promise<Response> => {
      const request = plainRequest(...sent);
      return request ? client.ask(request, connectMs) : usual(...withSignal(sent));
    };
    return Object.assign(outbound, { preconnect: usual.preconnect, [TAKES_CANCELLING]: true });
  };
}

/**
 * A `fetch` that waits so many ms for a connection, where it makes that itself: Bun's own tells nobody when it has one.
 * Then it rejects with an error whose `code` is `ETIMEDOUT`.
 */
export type FetchWithin = (connectMs: number) => Fetch;

/** As any `fetch` takes it. */
function withSignal([input, init]: Parameters<Fetch>): Parameters<Fetch> {
  const cancelling = init && cancellingOf(init);
  return cancelling ? [input, { ...init, signal: cancelling.signal }] : [input, init];
}

/** Servers whose connections are kept; upstreams are a handful. */
const MAX_SERVERS = 256;

/** Asks any number of servers. */
class Client {
  readonly #parser: ParserMaker;
  readonly #servers = new Map<string, Connections>();

  constructor(parser: ParserMaker) {
    this.#parser = parser;
  }

  ask(request: OutboundRequest, connectMs: number): Promise<Response> {
    const { host, origin, cancelling } = request;
    if (cancelling?.reason !== undefined) return Promise.reject(cancelling.reason);
    const server = this.#server(host, origin);
    const connection = server.take();
    if (connection) return answerOf(connection, request);
    return this.#open(server, { cancelling, connectMs }).then((opened) => {
      // It may have been left since: who is cancelled tells nobody again.
      if (cancelling?.reason === undefined) return answerOf(opened, request);
      opened.close();
      return Promise.reject(cancelling.reason);
    });
  }

  #server(host: string, origin: Origin): Connections {
    let server = this.#servers.get(host);
    if (!server) {
      // Those that are forgotten still close what is idle.
      if (this.#servers.size >= MAX_SERVERS) this.#servers.clear();
      this.#servers.set(host, (server = new Connections(origin, this.#parser)));
    }
    return server;
  }

  async #open(server: Connections, { cancelling, connectMs }: Patience): Promise<Connection> {
    const opening = server.open();
    const { promise: given, reject: giveUp } = Promise.withResolvers<never>();
    const leave = (reason: unknown): void => {
      giveUp(reason);
      opening.then(
        (connection) => connection.close(),
        () => undefined,
      );
    };
    const cancel = (): void => leave(cancelling?.reason);
    const timer = setTimeout(() => leave(tooLate()), connectMs);
    cancelling?.listen(cancel);
    try {
      return await Promise.race([opening, given]);
    } finally {
      clearTimeout(timer);
      cancelling?.forget(cancel);
    }
  }
}

/** How long a connection is waited for. */
interface Patience {
  readonly cancelling: Cancelling | undefined;
  readonly connectMs: number;
}

/** As the system says it after its own two minutes. */
function tooLate(): Error {
  return Object.assign(new Error("the server did not take the connection in time"), { code: "ETIMEDOUT" });
}

function answerOf(connection: Connection, request: OutboundRequest): Promise<Response> {
  const exchange = connection.ask(request.cancelling);
  const head = exchange.head();
  connection.send(requestBytes(request));
  return head.then((came) => {
    try {
      return responseOf(came, exchange);
    } catch (error) {
      // Nobody else will: there is no response by which to leave it.
      exchange.leave();
      throw error;
    }
  });
}

/** Those of which `Response` says that they have no body. https://fetch.spec.whatwg.org/#null-body-status */
const WITHOUT_BODY: ReadonlySet<number> = new Set([204, 205, 304]);

function responseOf({ status, statusText, headers: raw }: AnswerHead, exchange: Exchange): Response {
  if (status < 200 || status > 599) {
    throw Object.assign(new Error(`the server answered with status ${status}`), {
      code: "HPE_INVALID_STATUS",
    });
  }
  const headers = recordOf(raw);
  const init = { status, statusText, headers };
  if (WITHOUT_BODY.has(status)) {
    exchange.forget();
    return new Response(null, init);
  }
  const encoding = headers["content-encoding"]?.trim().toLowerCase() ?? "identity";
  if (encoding === "identity") return new OutboundResponse(exchange, init);
  delete headers["content-encoding"];
  delete headers["content-length"];
  return new Response(decoded(streamOf(exchange), encoding), init);
}

/** Headers by their names in small letters; those of one name are one list. RFC 9110, section 5.2. */
function recordOf(raw: RawHeaders): Record<string, string> {
  // Without a prototype, so that a header called `constructor` is one like any other.
  const headers: Record<string, string> = Object.create(null);
  for (let index = 1; index < raw.length; index += 2) {
    const name = (raw[index - 1] ?? "").toLowerCase();
    const before = headers[name];
    headers[name] = before === undefined ? (raw[index] ?? "") : `${before}, ${raw[index]}`;
  }
  return headers;
}

/** Servers that compress unasked are few; they get what `fetch` would have given them. */
function decoded(body: ReadableStream<Uint8Array>, encoding: string): ReadableStream<Uint8Array> {
  const format = FORMATS.get(encoding);
  if (!format)
    throw Object.assign(new Error(`the server's content-encoding ${encoding} is unknown`), {
      code: "UNKNOWN_ENCODING",
    });
  const { readable, writable } = new DecompressionStream(format);
  return body.pipeThrough({ readable, writable: writable as WritableStream<Uint8Array> });
}

const FORMATS = new Map<string, CompressionFormat>([
  ["gzip", "gzip"],
  ["x-gzip", "gzip"],
  ["deflate", "deflate"],
  ["br", "brotli" as CompressionFormat],
  ["zstd", "zstd" as CompressionFormat],
]);
