import { connect } from "node:net";
import type { Socket } from "node:net";
import { withinMs } from "./until.ts";

/** An answer as it stood on the wire. */
export interface RawResponse {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
}

/** A TCP connection on which a test writes its HTTP by hand, and reads answer after answer. */
export class RawConnection implements Disposable {
  readonly #socket: Socket;
  #buffer = Buffer.alloc(0);
  #ended = false;
  #more = Promise.withResolvers<void>();

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (piece: Buffer) => {
      this.#buffer = Buffer.concat([this.#buffer, piece]);
      this.#wake();
    });
    socket.on("error", () => undefined);
    for (const event of ["end", "close"]) socket.on(event, () => this.#finish());
  }

  /** Connects to the host and port of `url`. */
  static async open(url: string): Promise<RawConnection> {
    const { hostname, port } = new URL(url);
    const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
    const connection = new RawConnection(socket);
    await withinMs(new Promise<void>((resolve) => socket.once("connect", resolve)), "a connection");
    socket.setNoDelay(true);
    return connection;
  }

  /** What came and was not read by `response`. */
  get unread(): string {
    return this.#buffer.toString();
  }

  /** Resolves when the kernel has taken it; false when the other side has closed. */
  write(data: string | Uint8Array): Promise<boolean> {
    if (this.#socket.destroyed) return Promise.resolve(false);
    // Destroying a socket calls this with an error for each write that it still holds.
    return new Promise((resolve) => this.#socket.write(data, (error) => resolve(!error)));
  }

  /** Sends FIN; what comes can still be read. */
  halfClose(): void {
    this.#socket.end();
  }

  /** Resolves when the other side has closed the connection. */
  async closed(ms = 4_000): Promise<void> {
    while (!this.#ended) await withinMs(this.#more.promise, "the end of the connection", ms);
  }

  /** Waits for the next answer; rejects when the connection is closed before, or after `ms`. */
  async response({ head = false, ms = 4_000 } = {}): Promise<RawResponse> {
    const text = await this.#take(() => this.#headLength(), ms);
    const [statusLine = "", ...lines] = text.toString("latin1").trimEnd().split("\r\n");
    const headers = new Headers(lines.map((line) => splitOnce(line, ":")));
    const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(statusLine)?.[1]);
    if (head || status === 204 || status === 304 || status < 200) return { status, headers, body: "" };
    const chunked = headers.get("transfer-encoding") === "chunked";
    const body = chunked
      ? await this.#chunks(ms)
      : await this.#sized(Number(headers.get("content-length")), ms);
    return { status, headers, body: body.toString() };
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  /** Sends RST. */
  reset(): void {
    this.#socket.resetAndDestroy();
  }

  #finish(): void {
    this.#ended = true;
    this.#wake();
  }

  #wake(): void {
    const { resolve } = this.#more;
    this.#more = Promise.withResolvers();
    resolve();
  }

  #headLength(): number | undefined {
    const end = this.#buffer.indexOf("\r\n\r\n");
    return end < 0 ? undefined : end + 4;
  }

  #sized(length: number, ms: number): Promise<Buffer> {
    return this.#take(() => (this.#buffer.length >= length ? length : undefined), ms);
  }

  async #chunks(ms: number): Promise<Buffer> {
    const pieces: Buffer[] = [];
    for (;;) {
      const line = await this.#take(() => {
        const end = this.#buffer.indexOf("\r\n");
        return end < 0 ? undefined : end + 2;
      }, ms);
      const size = Number.parseInt(line.toString("latin1"), 16);
      const piece = await this.#sized(size + 2, ms);
      if (size === 0) return Buffer.concat(pieces);
      pieces.push(piece.subarray(0, size));
    }
  }

  /** Takes the first so many bytes, as soon as `length` knows how many. */
  async #take(length: () => number | undefined, ms: number): Promise<Buffer> {
    for (;;) {
      const size = length();
      if (size !== undefined) {
        const taken = this.#buffer.subarray(0, size);
        this.#buffer = this.#buffer.subarray(size);
        return taken;
      }
      if (this.#ended)
        throw new Error(
          `the connection was closed after ${JSON.stringify(this.#buffer.toString().slice(0, 200))}`,
        );
      await withinMs(this.#more.promise, "an answer", ms);
    }
  }
}

function splitOnce(line: string, separator: string): [string, string] {
  const at = line.indexOf(separator);
  return [line.slice(0, at), line.slice(at + 1).trim()];
}

export interface RawRequest {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent with a content-length, unless the headers name one or a transfer-encoding. */
  readonly body?: string | Uint8Array;
}

/** A request's head as text: `host` and, for a body, `content-length` are added where they are missing. */
export function rawHead({ method = "GET", path = "/", headers = {}, body }: RawRequest): string {
  const names = Object.keys(headers).map((name) => name.toLowerCase());
  const sized = names.includes("content-length") || names.includes("transfer-encoding");
  const all = {
    ...(!names.includes("host") && { host: "localhost" }),
    ...(body !== undefined && !sized && { "content-length": String(Buffer.byteLength(body)) }),
    ...headers,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${path} HTTP/1.1\r\n${lines.join("")}\r\n`;
}

/** One request on a connection of its own. */
export async function rawFetch(url: string, request: RawRequest): Promise<RawResponse> {
  using connection = await RawConnection.open(url);
  await connection.write(rawHead(request));
  if (request.body !== undefined) await connection.write(request.body);
  return await connection.response({ head: request.method === "HEAD" });
}

/** A piece of a body with `transfer-encoding: chunked`; an empty one ends it. */
export function httpChunk(piece: string): string {
  return `${Buffer.byteLength(piece).toString(16)}\r\n${piece}\r\n`;
}
