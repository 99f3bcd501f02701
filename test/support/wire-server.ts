import type { Socket } from "bun";
import type { Certificate } from "./certificates.ts";

/** What a server does with one request, which it has read as a whole. */
export type Respond = (request: string, socket: Socket<Peer>) => void;

/** A connection of it. */
export interface Peer {
  received: string;
  /** How many requests came over it, this one included. */
  requests: number;
}

/** An HTTP server whose answers are written by hand, over TCP or TLS, and that counts its connections. */
export class WireServer {
  readonly #listener;
  readonly #scheme: string;
  readonly #open = new Set<Socket<Peer>>();
  respond: Respond = (_, socket) => void socket.write(whole("ok"));
  readonly requests: string[] = [];
  accepted = 0;
  closed = 0;

  constructor(tls?: Certificate) {
    this.#scheme = tls ? "https" : "http";
    this.#listener = Bun.listen<Peer>({
      hostname: "127.0.0.1",
      port: 0,
      ...(tls && { tls: { ...tls } }),
      socket: {
        open: (socket) => {
          socket.data = { received: "", requests: 0 };
          this.accepted += 1;
          this.#open.add(socket);
        },
        data: (socket, bytes) => this.#take(socket, bytes.toString("latin1")),
        close: (socket) => {
          this.closed += 1;
          this.#open.delete(socket);
        },
        error() {},
      },
    });
  }

  get port(): number {
    return this.#listener.port;
  }

  /** Scheme, host and port. */
  get origin(): string {
    return `${this.#scheme}://127.0.0.1:${this.port}`;
  }

  /** How many connections are open. */
  get open(): number {
    return this.#open.size;
  }

  #take(socket: Socket<Peer>, text: string): void {
    socket.data.received += text;
    const end = socket.data.received.indexOf("\r\n\r\n");
    if (end < 0) return;
    const length = Number(/content-length: (\d+)/i.exec(socket.data.received)?.[1] ?? 0);
    if (socket.data.received.length < end + 4 + length) return;
    const request = socket.data.received;
    socket.data.received = "";
    socket.data.requests += 1;
    this.requests.push(request);
    this.respond(request, socket);
  }

  stop(): void {
    this.#listener.stop(true);
  }
}

/** An answer with a length; `headers` end with a line end each. */
export function whole(body: string, headers = ""): string {
  return `HTTP/1.1 200 OK\r\ncontent-length: ${Buffer.byteLength(body)}\r\n${headers}\r\n${body}`;
}
