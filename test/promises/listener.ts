import type { Socket } from "node:net";
import { connect } from "node:net";
import type { RunningGateway } from "../support/gateway.ts";
import { rawHead } from "../support/raw-http.ts";

/** How long one who reads slowly waits for each byte, in ms. */
const PER_BYTE = 1_000;

/** A client on a connection of its own that reads a stream, at once or a byte a second, and can leave. */
export class Listener {
  readonly #socket: Socket;
  readonly #pieces: Buffer[] = [];
  readonly #finished = Promise.withResolvers<void>();
  readonly #begun = Promise.withResolvers<void>();
  #pace: ReturnType<typeof setInterval> | undefined;
  /** How many bytes it has read. */
  bytes = 0;

  constructor(gateway: RunningGateway, body: object, { slow = false } = {}) {
    const { hostname, port } = new URL(gateway.url);
    const text = JSON.stringify(body);
    const headers = { authorization: `Bearer ${gateway.key}`, "content-type": "application/json" };
    const head = rawHead({ method: "POST", path: "/v1/chat/completions", headers, body: text });
    this.#finished.promise.catch(() => undefined);
    this.#begun.promise.catch(() => undefined);
    this.#socket = connect({ host: hostname, port: Number(port) });
    // One whose other side resets it while it leaves has an error that interests nobody.
    this.#socket.on("error", () => undefined);
    this.#socket.on("close", () => this.#closed());
    this.#socket.write(head + text);
    if (slow) this.#pace = setInterval(() => this.#take(this.#socket.read(1) as Buffer | null), PER_BYTE);
    else this.hurry();
  }

  /** Resolves when the answer's first bytes have come; rejects when they never will. */
  get begun(): Promise<void> {
    return this.#begun.promise;
  }

  /** Resolves when the answer has come to its end; rejects when the connection was closed before. */
  get finished(): Promise<void> {
    return this.#finished.promise;
  }

  /** From now on reads as fast as it can. */
  hurry(): void {
    clearInterval(this.#pace);
    this.#socket.on("data", (piece: Buffer) => this.#take(piece));
  }

  leave(): void {
    clearInterval(this.#pace);
    this.#socket.destroy();
  }

  /** The body of what it has read. */
  body(): string {
    let rest = Buffer.concat(this.#pieces);
    rest = rest.subarray(rest.indexOf("\r\n\r\n") + 4);
    const chunks: Buffer[] = [];
    for (;;) {
      const end = rest.indexOf("\r\n");
      const size = Number.parseInt(rest.subarray(0, end).toString("latin1"), 16);
      if (!(size > 0)) return Buffer.concat(chunks).toString();
      chunks.push(rest.subarray(end + 2, end + 2 + size));
      rest = rest.subarray(end + 4 + size);
    }
  }

  #take(piece: Buffer | null): void {
    if (!piece) return;
    this.#pieces.push(piece);
    this.bytes += piece.byteLength;
    this.#begun.resolve();
    if (this.#ending().endsWith("\r\n0\r\n\r\n")) this.#finished.resolve();
  }

  #ending(): string {
    const last = this.#pieces.slice(-7);
    return Buffer.concat(last).subarray(-7).toString("latin1");
  }

  #closed(): void {
    clearInterval(this.#pace);
    const error = new Error("the connection was closed");
    this.#begun.reject(error);
    this.#finished.reject(error);
  }
}
