import type { Connection, ConnectionMeans } from "./connection.ts";
import { Connections } from "./connections.ts";
import type { Exchange } from "./exchange.ts";
import type { AnswerHead } from "./llhttp.ts";
import type { ClientRequest } from "./request.ts";
import { requestBytes } from "./request.ts";
import type { DecodingError } from "./decoding.ts";
import { ResponseFactory } from "./response.ts";

/** Deadlines of a request, in ms. */
export interface ClientTimeouts {
  /** For establishing a connection. */
  readonly connect: number;
  /** For the beginning of an answer, after which a reused connection is given up. */
  readonly first_event: number;
}

/** Limit of the servers whose connections are kept; upstreams are a handful. */
const MAX_SERVERS = 256;

/** Silence after which the other connections to the server are suspected, too, in ms. */
const SUSPICIOUS_MS = 4_000;

/** Sends requests to any number of servers over sockets of this thread. */
export class Client {
  readonly #means: ConnectionMeans;
  readonly #servers = new Map<string, Connections>();

  readonly #responses: ResponseFactory;

  constructor(means: ConnectionMeans, decodingError: DecodingError) {
    this.#means = means;
    this.#responses = new ResponseFactory(decodingError);
  }

  /**
   * Resolves to the response once its head has arrived. A request whose reused connection ends, or is silent for too
   * long, without a byte of an answer is sent again over a new one: servers, NATs and firewalls drop idle connections,
   * often silently. Rejects with the reason of a cancellation, with an error that has the system's `code`, or with
   * `ETIMEDOUT` if no connection was established in time.
   */
  ask(request: ClientRequest, timeouts: ClientTimeouts): Promise<Response> {
    const { cancelling } = request;
    if (cancelling?.reason !== undefined) return Promise.reject(cancelling.reason);
    const server = this.#server(request);
    const connection = server.take();
    if (!connection) return this.#askAnew(server, request, timeouts);
    const exchange = connection.ask(cancelling);
    exchange.distrust(timeouts.connect + timeouts.first_event);
    const head = exchange.head();
    connection.send(requestBytes(request));
    return head.then(
      (begun) => this.#respond(begun, exchange, request),
      (error: unknown) => {
        if (!exchange.isUnheard) throw error;
        const isCancelled = cancelling?.reason !== undefined;
        if (!isCancelled || exchange.distrustedMs > SUSPICIOUS_MS) server.dropIdle();
        if (isCancelled) throw error;
        return this.#askAnew(server, request, timeouts);
      },
    );
  }

  /** Asks over a new connection. */
  async #askAnew(server: Connections, request: ClientRequest, timeouts: ClientTimeouts): Promise<Response> {
    const { cancelling } = request;
    const connection = await opened(server, request, timeouts.connect);
    if (cancelling?.reason !== undefined) {
      // Cancelled meanwhile: the exchange would not be notified any more.
      connection.close();
      throw cancelling.reason as Error;
    }
    const exchange = connection.ask(cancelling);
    const head = exchange.head();
    connection.send(requestBytes(request));
    return this.#respond(await head, exchange, request);
  }

  #respond(head: AnswerHead, exchange: Exchange, request: ClientRequest): Response {
    try {
      return this.#responses.of(head, exchange, request);
    } catch (error) {
      // Without a response nothing else would cancel it.
      exchange.cancel();
      throw error;
    }
  }

  #server({ server: key, origin }: ClientRequest): Connections {
    let server = this.#servers.get(key);
    if (!server) {
      // Connections that are dropped here still close when they are idle.
      if (this.#servers.size >= MAX_SERVERS) this.#servers.clear();
      this.#servers.set(key, (server = new Connections(origin, this.#means)));
    }
    return server;
  }
}

async function opened(
  server: Connections,
  { cancelling }: ClientRequest,
  connectMs: number,
): Promise<Connection> {
  const connection = server.make();
  const { promise: given, reject: giveUp } = Promise.withResolvers<never>();
  const leave = (reason: unknown): void => {
    giveUp(reason);
    connection.close();
  };
  const cancel = (): void => leave(cancelling?.reason);
  const timer = setTimeout(() => leave(tooLate()), connectMs);
  cancelling?.listen(cancel);
  try {
    await Promise.race([connection.open(server.origin), given]);
    return connection;
  } finally {
    clearTimeout(timer);
    cancelling?.forget(cancel);
  }
}

/** The error that the system reports after its own two minutes. */
function tooLate(): Error {
  return Object.assign(new Error("the server did not take the connection in time"), { code: "ETIMEDOUT" });
}
