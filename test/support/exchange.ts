import type { Socket } from "bun";
import { chunkOf, framingHeaders, headText } from "./openai-answer.ts";
import type { Framing } from "./openai-answer.ts";
import { RequestReader } from "./request-reader.ts";
import type { RawRequest } from "./request-reader.ts";

/** A request and the means to answer it. Once the connection is gone all of them do nothing. */
export interface Exchange extends RawRequest {
  /** The body as JSON. */
  json(): unknown;
  /** Sends these bytes as they are. */
  send(raw: string | Uint8Array): void;
  /** Sends the head; `framing` adds its header and says how `chunk` and `end` go on. Default "chunked". */
  head(status: number, headers?: Record<string, string>, framing?: Framing): void;
  /** Sends a piece of the body, in chunked encoding unless `head` said otherwise. */
  chunk(bytes: string | Uint8Array): void;
  /** Ends the body: the last chunk, or with framing "close" the connection's end. */
  end(): void;
  /** Breaks the connection with a TCP RST at once. What the client hasn't read yet it may never read. */
  reset(): void;
  /** Closes the connection cleanly (FIN) after what was sent. */
  close(): void;
  /** Resolves when the kernel has taken all that was sent, or the connection is gone. */
  flushed(): Promise<void>;
  /** Bytes of the connection that the kernel has taken, those of earlier answers included. */
  readonly bytesWritten: number;
  /** Bytes that wait for the client to read. */
  readonly bytesQueued: number;
  /** Resolves with `performance.now()` when the client closes the connection; never if we reset it. */
  readonly closed: Promise<number>;
}

/** One TCP connection: reads request after request, and writes no faster than the client reads. */
export class Connection {
  readonly closed: Promise<number>;
  bytesWritten = 0;
  bytesQueued = 0;
  readonly #socket: Socket<Connection>;
  readonly #answer: (exchange: Exchange) => Promise<void>;
  readonly #closed = Promise.withResolvers<number>();
  #reader = new RequestReader();
  #queue: Uint8Array[] = [];
  #flushed: (() => void)[] = [];
  #isClosing = false;
  #isGone = false;

  constructor(socket: Socket<Connection>, answer: (exchange: Exchange) => Promise<void>) {
    this.#socket = socket;
    this.#answer = answer;
    this.closed = this.#closed.promise;
  }

  read(bytes: Uint8Array): void {
    try {
      const request = this.#reader.push(bytes);
      if (!request) return;
      const { rest } = this.#reader;
      this.#reader = new RequestReader();
      void this.#answer(new HttpExchange(request, this));
      if (rest.byteLength > 0) this.read(rest);
    } catch {
      this.reset();
    }
  }

  send(raw: string | Uint8Array): void {
    // A copy, because the caller may write into its bytes before the client reads them.
    const bytes = Buffer.from(raw as Uint8Array);
    if (this.#isGone || this.#isClosing || bytes.byteLength === 0) return;
    this.#queue.push(bytes);
    this.bytesQueued += bytes.byteLength;
    this.flush();
  }

  flush(): void {
    for (let next = this.#queue[0]; next && !this.#isGone; next = this.#queue[0]) {
      const taken = Math.max(0, this.#socket.write(next));
      this.bytesWritten += taken;
      this.bytesQueued -= taken;
      if (taken < next.byteLength) {
        this.#queue[0] = next.subarray(taken);
        return;
      }
      this.#queue.shift();
    }
    for (const resolve of this.#flushed.splice(0)) resolve();
    if (this.#isClosing && !this.#isGone) this.#socket.shutdown();
  }

  flushed(): Promise<void> {
    if (this.#isGone || this.#queue.length === 0) return Promise.resolve();
    return new Promise((resolve) => this.#flushed.push(resolve));
  }

  close(): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    if (this.#queue.length === 0) this.flush();
  }

  reset(): void {
    if (this.#isGone) return;
    this.#leave();
    this.#socket.terminate();
  }

  /** The client has closed the connection. */
  gone(): void {
    if (this.#isGone) return;
    this.#closed.resolve(performance.now());
    this.#leave();
    this.#socket.end();
  }

  #leave(): void {
    this.#isGone = true;
    this.#queue = [];
    this.bytesQueued = 0;
    for (const resolve of this.#flushed.splice(0)) resolve();
  }
}

class HttpExchange implements Exchange {
  readonly method: string;
  readonly path: string;
  readonly headers: Headers;
  readonly body: Uint8Array;
  readonly bytesRead: number;
  readonly #connection: Connection;
  #framing: Framing = "chunked";

  constructor(request: RawRequest, connection: Connection) {
    this.method = request.method;
    this.path = request.path;
    this.headers = request.headers;
    this.body = request.body;
    this.bytesRead = request.bytesRead;
    this.#connection = connection;
  }

  get bytesWritten(): number {
    return this.#connection.bytesWritten;
  }

  get bytesQueued(): number {
    return this.#connection.bytesQueued;
  }

  get closed(): Promise<number> {
    return this.#connection.closed;
  }

  json(): unknown {
    return JSON.parse(new TextDecoder().decode(this.body));
  }

  send(raw: string | Uint8Array): void {
    this.#connection.send(raw);
  }

  head(status: number, headers: Record<string, string> = {}, framing: Framing = "chunked"): void {
    this.#framing = framing;
    this.send(headText(status, { ...headers, ...framingHeaders(framing) }));
  }

  chunk(bytes: string | Uint8Array): void {
    this.send(this.#framing === "chunked" ? chunkOf(bytes) : bytes);
  }

  end(): void {
    if (this.#framing === "chunked") this.send("0\r\n\r\n");
    if (this.#framing === "close") this.close();
  }

  reset(): void {
    this.#connection.reset();
  }

  close(): void {
    this.#connection.close();
  }

  flushed(): Promise<void> {
    return this.#connection.flushed();
  }
}
