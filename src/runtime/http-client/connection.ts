import { isIP } from "node:net";
import type { Socket, SocketHandler, TLSOptions } from "bun";
import type { CancelToken } from "../cancel-token.ts";
import { boundReceiveBuffer } from "../socket-buffers.ts";
import { TickBatcher } from "../tick-batcher.ts";
import type { ConnectionControl } from "./exchange.ts";
import { Exchange } from "./exchange.ts";
import { LengthRepair } from "./length-repair.ts";
import type { AnswerHead, AnswerParser, ParserEvents, ParserMaker } from "./llhttp.ts";

/** Where a connection leads. */
export interface Origin {
  /** Without the brackets of an IPv6 address. */
  readonly hostname: string;
  readonly port: number;
  /** Whether TLS is spoken there. */
  readonly isSecure: boolean;
}

/** A member of a socket that Bun's types lack. */
interface Descriptor {
  readonly fd: number;
}

/** What connections are made with. */
export interface ConnectionMeans {
  readonly parser: ParserMaker;
  /** Certificates (PEM) to trust in place of the usual ones. */
  readonly authorities: string | undefined;
}

export interface ConnectionOptions extends ConnectionMeans {
  /** Called when an answer is complete and the connection can take another request. */
  readonly idle: (connection: Connection) => void;
  /** Called once when the connection can't be used any more. */
  readonly closed: (connection: Connection) => void;
}

/** Server certificates and host names are always verified; the protocol is HTTP/1.1, in the form of RFC 7301. */
const TLS: TLSOptions = { rejectUnauthorized: true, ALPNProtocols: "\u0008http/1.1" };

/**
 * Silence after which TCP probes the other end, in ms. Bun gives up after ten probes, one a second, so that the end of a
 * machine or of a path is noticed while a model thinks; the probes also keep the path open in NATs.
 */
const PROBE_AFTER_MS = 15_000;

/** A connection to a server that answers one request at a time. */
export class Connection implements ConnectionControl, ParserEvents {
  readonly #options: ConnectionOptions;
  readonly #parser: AnswerParser;
  #socket: Socket<Connection> | undefined;
  #exchange: Exchange | undefined;
  /** Bytes that the socket hasn't taken yet. */
  #unsent: Uint8Array | undefined;
  #isInterim = false;
  #keepsAlive = false;
  /** False once the server has sent something without a request. */
  #isTrusted = true;
  #isClosed = false;
  /** The kernel keeps little of what comes over it: too little for a large answer to a quick reader. */
  #isBounded = false;
  /** Settled by the TLS handshake. */
  #handshake: PromiseWithResolvers<void> | undefined;
  /** When it became idle, by `Date.now()`, which goes on while a machine sleeps. */
  idleSince = 0;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#parser = new LengthRepair(() => options.parser(this));
  }

  /**
   * Connects. Rejects with the system's error, or with why the certificate was refused; both have a `code`. `close`
   * ends it at any time.
   */
  async open({ hostname, port, isSecure }: Origin): Promise<void> {
    const target = { hostname, port, data: this as Connection };
    if (isSecure) this.#handshake = Promise.withResolvers();
    const handshake = this.#handshake?.promise;
    // It is awaited below, unless the connection isn't made at all.
    handshake?.catch(() => undefined);
    this.#socket = await (isSecure
      ? Bun.connect({
          ...target,
          tls: { ...TLS, ...nameOf(hostname), ca: this.#options.authorities },
          socket: TLS_HANDLERS,
        })
      : Bun.connect({ ...target, socket: HANDLERS }));
    this.#socket.setKeepAlive(true, PROBE_AFTER_MS);
    if (this.#isClosed) this.#socket.terminate();
    await handshake;
  }

  /** Called by the socket after the TLS handshake. No byte of a request was sent before. */
  secured(isVerified: boolean, error: Error | null): void {
    if (isVerified) this.#handshake?.resolve();
    else this.#handshake?.reject(error ?? brokenOff(undefined));
    this.#handshake = undefined;
    if (!isVerified) this.close();
  }

  /** Begins an exchange, whose request follows by `send`. Only while it is idle. */
  ask(cancelling: CancelToken | undefined): Exchange {
    const exchange = new Exchange(this, cancelling);
    this.#exchange = exchange;
    return exchange;
  }

  /** Sends a request. The bytes aren't kept: what the socket doesn't take at once is copied. */
  send(bytes: Uint8Array): void {
    const rest = this.#write(bytes);
    this.#unsent = rest && new Uint8Array(rest);
  }

  pause(isBehind: boolean): void {
    this.#socket?.pause();
    if (!isBehind || this.#isBounded) return;
    this.#isBounded = true;
    boundReceiveBuffer((this.#socket as unknown as Descriptor).fd);
  }

  resume(): void {
    this.#socket?.resume();
  }

  drop(): void {
    this.#exchange = undefined;
    this.close();
  }

  flushLater(exchange: Exchange): void {
    if (exchange.isQueued) return;
    exchange.isQueued = true;
    ANSWERS.add(exchange);
  }

  /** Called by the socket with bytes. */
  received(bytes: Uint8Array): void {
    // A server that sends without a request can't be trusted with another one.
    if (!this.#exchange) return this.close();
    this.#exchange.heard();
    const error = this.#parser.take(bytes);
    const exchange = this.#exchange;
    if (error) {
      exchange?.end(error);
      this.close();
    } else if (exchange?.isOver) this.#finish();
    if (exchange) this.flushLater(exchange);
  }

  /** Called by the socket when it has room again. */
  drained(): void {
    this.#unsent = this.#unsent && this.#write(this.#unsent);
  }

  /** Called by the socket when the server has closed it, or it broke. */
  ended(error?: Error): void {
    this.#handshake?.reject(brokenOff(error));
    const exchange = this.#exchange;
    if (exchange && !exchange.isOver) {
      const cut = error ?? this.#parser.close();
      // An answer without a length ends with its connection.
      if (cut || !exchange.isOver) exchange.end(brokenOff(error));
      exchange.flush();
    }
    this.close();
  }

  /** Called by the parser at the first byte of an answer. */
  begins(): void {
    // An answer without a request.
    if (this.#exchange?.isOver) this.#isTrusted = false;
  }

  /** Called by the parser with a head. */
  head(head: AnswerHead, keepsAlive: boolean): void {
    // No other protocol was requested; any other interim answer is followed by the final one.
    const isSwitching = head.status === 101;
    this.#isInterim = head.status < 200 && !isSwitching;
    this.#keepsAlive = keepsAlive && !isSwitching;
    this.#exchange?.trust();
    if (!this.#isInterim && !this.#exchange?.isOver) this.#exchange?.begin(head);
  }

  /** Called by the parser with a piece of the body. */
  body(piece: Uint8Array): void {
    this.#exchange?.push(piece);
  }

  /** Called by the parser at the end of an answer. */
  end(): void {
    if (!this.#isInterim) this.#exchange?.end();
  }

  /** Returns the bytes that the socket didn't take. */
  #write(bytes: Uint8Array): Uint8Array | undefined {
    const written = this.#socket?.write(bytes) ?? 0;
    return written < bytes.length ? bytes.subarray(Math.max(written, 0)) : undefined;
  }

  #finish(): void {
    this.#exchange = undefined;
    if (!this.#keepsAlive || !this.#isTrusted || this.#unsent || this.#isBounded) return this.close();
    this.idleSince = Date.now();
    this.#options.idle(this);
  }

  /** Closes the connection, if it is open. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#socket?.terminate();
    this.#options.closed(this);
  }
}

/** Exchanges whose answers have received bytes in this turn of the event loop. */
const ANSWERS = new TickBatcher((exchange: Exchange) => exchange.flush());

/** Shared by all connections: each socket carries its own. */
const HANDLERS: SocketHandler<Connection> = {
  data: ({ data: connection }, bytes) => connection.received(bytes),
  drain: ({ data: connection }) => connection.drained(),
  end: ({ data: connection }) => connection.ended(),
  close: ({ data: connection }, error) => connection.ended(error),
  error: ({ data: connection }, error) => connection.ended(error),
};

/** The same with TLS. */
const TLS_HANDLERS: SocketHandler<Connection> = {
  ...HANDLERS,
  handshake: (socket, isVerified, error) => socket.data.secured(isVerified && socket.authorized, error),
};

/** An IP address is sent as no server name (RFC 6066, section 3); the certificate is verified all the same. */
function nameOf(hostname: string): TLSOptions {
  return isIP(hostname) === 0 ? {} : { serverName: "" };
}

/** Why a connection ended that stood. What the system calls a time-out is then the end of its probes. */
function brokenOff(error: Error | undefined): Error {
  if (error && "code" in error && error.code !== "ETIMEDOUT") return error;
  return Object.assign(new Error("the connection was closed", { cause: error }), { code: "ECONNRESET" });
}
