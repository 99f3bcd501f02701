/**
 * The stub upstream: speaks OpenAI's API and Anthropic's as far as the benchmark needs it, straight on sockets, so that it is
 * never what limits a figure. Prints the port on which it listens.
 * @module
 */
import type { Socket } from "bun";
import { orderIn } from "../order.ts";
import type { Order } from "../order.ts";
import {
  burstAnswer,
  burstMessage,
  NOT_FOUND,
  plainAnswer,
  streamEnd,
  streamStart,
  tokenChunk,
} from "./answers.ts";
import { RequestReader } from "./request-reader.ts";

const MESSAGES = "POST /v1/messages ";

/** One client's connection: what it asks, and how far the answer is. */
class Connection {
  readonly #reader = new RequestReader();
  readonly #socket: Socket<Connection>;
  #pending: Buffer[] = [];
  #timer: Timer | undefined;

  constructor(socket: Socket<Connection>) {
    this.#socket = socket;
  }

  take(piece: Buffer): void {
    const request = this.#reader.take(piece);
    const order = request && orderIn(request);
    if (request?.toString("latin1", 0, MESSAGES.length) === MESSAGES)
      return this.#write(order?.kind === "burst" ? burstMessage(order) : NOT_FOUND);
    if (request) this.#answer(order);
  }

  #answer(order: Order | undefined): void {
    if (!order) return this.#write(NOT_FOUND);
    switch (order.kind) {
      case "plain":
        return this.#write(plainAnswer(order));
      case "burst":
        return this.#write(burstAnswer(order));
      case "paced":
        return this.#pace(order);
    }
  }

  #pace(order: Order): void {
    let sent = 1;
    this.#write(streamStart(order));
    this.#timer = setInterval(() => {
      if (sent < order.tokens) return this.#write(tokenChunk(order.lane, sent++));
      clearInterval(this.#timer);
      this.#write(streamEnd(order));
    }, order.interval);
  }

  #write(bytes: Buffer): void {
    if (this.#pending.length > 0) return void this.#pending.push(bytes);
    const written = this.#socket.write(bytes);
    if (written < bytes.length) this.#pending.push(bytes.subarray(Math.max(written, 0)));
  }

  drain(): void {
    const pending = this.#pending;
    this.#pending = [];
    for (const bytes of pending) this.#write(bytes);
  }

  close(): void {
    clearInterval(this.#timer);
  }
}

const server = Bun.listen<Connection>({
  hostname: "127.0.0.1",
  port: 0,
  socket: {
    open(socket) {
      socket.data = new Connection(socket);
    },
    data: (socket, bytes) => socket.data.take(bytes),
    drain: (socket) => socket.data.drain(),
    close: (socket) => socket.data.close(),
    // A client that resets its connection is closed right after; there is nothing more to do for it.
    error() {},
  },
});
console.log(`listens on http://127.0.0.1:${server.port}`);
