import type { Socket, SocketHandler } from "bun";
import type { Cancelling } from "../contract/cancelling.ts";
import { Gathering } from "../flow/gathering.ts";
import type { Line } from "./exchange.ts";
import { Exchange } from "./exchange.ts";
import type { AnswerHead, AnswerParser, ParserEvents, ParserMaker } from "./llhttp.ts";

/** Where a connection leads. */
export interface Origin {
  /** Without the brackets of an IPv6 address. */
  readonly hostname: string;
  readonly port: number;
}

export interface ConnectionOptions {
  readonly parser: ParserMaker;
  /** Told when its answer is whole and it can take another request. */
  readonly idle: (connection: Connection) => void;
  /** Told once when it can't be used any more. */
  readonly closed: (connection: Connection) => void;
}

/** A connection to a server that answers one request at a time. */
export class Connection implements Line, ParserEvents {
  readonly #options: ConnectionOptions;
  readonly #parser: AnswerParser;
  #socket: Socket<Connection> | undefined;
  #exchange: Exchange | undefined;
  /** What the socket hasn't taken yet. */
  #unsent: Uint8Array | undefined;
  #isInterim = false;
  #keepsAlive = false;
  /** False once the server has spoken without being asked. */
  #isTrusted = true;
  #isClosed = false;
  /** When it became idle, by `performance.now()`. */
  idleSince = 0;

  private constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#parser = options.parser(this);
  }

  /** Connects. Rejects with the system's error, which has a `code`. */
  static async open({ hostname, port }: Origin, options: ConnectionOptions): Promise<Connection> {
    const connection = new Connection(options);
    connection.#socket = await Bun.connect({ hostname, port, data: connection, socket: HANDLERS });
    return connection;
  }

  /** Begins an exchange, whose request follows by `send`. Only while it is idle. */
  ask(cancelling: Cancelling | undefined): Exchange {
    const exchange = new Exchange(this, cancelling);
    this.#exchange = exchange;
    return exchange;
  }

  /** Sends a request. The bytes aren't kept: what the socket doesn't take at once is copied. */
  send(bytes: Uint8Array): void {
    const rest = this.#write(bytes);
    this.#unsent = rest && new Uint8Array(rest);
  }

  pause(): void {
    this.#socket?.pause();
  }

  resume(): void {
    this.#socket?.resume();
  }

  drop(): void {
    this.#exchange = undefined;
    this.close();
  }

  /** Of the socket. */
  received(bytes: Uint8Array): void {
    // A server that speaks without being asked can't be trusted with another request.
    if (!this.#exchange) return this.close();
    const error = this.#parser.take(bytes);
    const exchange = this.#exchange;
    if (error) {
      exchange?.end(error);
      this.close();
    } else if (exchange?.isOver) this.#finish();
    if (exchange) ANSWERS.add(exchange);
  }

  /** Of the socket: it has room again. */
  drained(): void {
    this.#unsent = this.#unsent && this.#write(this.#unsent);
  }

  /** Of the socket: the server has closed it, or it broke. */
  ended(error?: Error): void {
    const exchange = this.#exchange;
    if (exchange && !exchange.isOver) {
      const cut = error ?? this.#parser.close();
      // An answer without a length ends with its connection.
      if (cut || !exchange.isOver) exchange.end(brokenOff(error));
      exchange.flush();
    }
    this.close();
  }

  /** Of the parser. */
  begins(): void {
    // Nobody has asked for another answer.
    if (this.#exchange?.isOver) this.#isTrusted = false;
  }

  /** Of the parser. */
  head(head: AnswerHead, keepsAlive: boolean): void {
    // Another answer follows an interim one.
    this.#isInterim = head.status < 200;
    this.#keepsAlive = keepsAlive;
    if (!this.#isInterim && !this.#exchange?.isOver) this.#exchange?.begin(head);
  }

  /** Of the parser. */
  body(piece: Uint8Array): void {
    this.#exchange?.push(piece);
  }

  /** Of the parser. */
  end(): void {
    if (!this.#isInterim) this.#exchange?.end();
  }

  /** What the socket didn't take. */
  #write(bytes: Uint8Array): Uint8Array | undefined {
    const written = this.#socket?.write(bytes) ?? 0;
    return written < bytes.length ? bytes.subarray(Math.max(written, 0)) : undefined;
  }

  #finish(): void {
    this.#exchange = undefined;
    if (!this.#keepsAlive || !this.#isTrusted || this.#unsent) return this.close();
    this.idleSince = performance.now();
    this.#options.idle(this);
  }

  /** Ends it, if that hasn't happened yet. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#socket?.terminate();
    this.#options.closed(this);
  }
}

/** Those of whose answers something has arrived. */
const ANSWERS = new Gathering((exchange: Exchange) => exchange.flush());

/** Of all connections: each socket carries its own. */
const HANDLERS: SocketHandler<Connection> = {
  data: ({ data: connection }, bytes) => connection.received(bytes),
  drain: ({ data: connection }) => connection.drained(),
  end: ({ data: connection }) => connection.ended(),
  close: ({ data: connection }, error) => connection.ended(error),
  error: ({ data: connection }, error) => connection.ended(error),
};

function brokenOff(error: Error | undefined): Error {
  if (error && "code" in error) return error;
  return Object.assign(new Error("the connection was closed", { cause: error }), { code: "ECONNRESET" });
}
