import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Server } from "socket.io";
import type { Socket } from "socket.io";
import type { Piece } from "./connection.ts";

/** The behaviour of the emulated upstream. */
export interface Behaviour {
  /** Accepts a socket, or throws the error that it gets. */
  admit?(key: unknown): void;
  /** Answers one request. `signal` aborts when the client cancels or disconnects. */
  answer(question: Question, line: Line): void | Promise<void>;
}

export interface Question {
  readonly messages: readonly { readonly content: string }[];
}

/** The connection to the client. */
export interface Line {
  readonly socket: Socket;
  readonly signal: AbortSignal;
  readonly say: (piece: Piece) => void;
}

/** A running server. */
export interface Running extends AsyncDisposable {
  readonly url: string;
  /** The number of open sockets. */
  readonly sockets: number;
}

/** Serves the upstream's protocol on 127.0.0.1. Port 0 picks a free one. */
export async function serve(port: number, behaviour: Behaviour): Promise<Running> {
  const http = createServer();
  const server = new Server(http, { transports: ["websocket"], serveClient: false });
  server.use((socket, next) => {
    try {
      behaviour.admit?.(socket.handshake.auth["key"]);
      next();
    } catch (error) {
      next(error as Error);
    }
  });
  server.on("connection", (socket) => welcome(socket, behaviour));
  http.listen(port, "127.0.0.1");
  await once(http, "listening");
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    get sockets() {
      return server.engine.clientsCount;
    },
    async [Symbol.asyncDispose]() {
      server.disconnectSockets(true);
      http.closeAllConnections();
      await server.close();
    },
  };
}

function welcome(socket: Socket, behaviour: Behaviour): void {
  const leaving = new AbortController();
  const say = (piece: Piece): void => void socket.emit("piece", piece);
  socket.on("models", () => say({ models: ["small", "large"] }));
  socket.on("ask", (question: Question) => {
    void behaviour.answer(question, { socket, signal: leaving.signal, say });
  });
  socket.on("cancel", () => leaving.abort());
  socket.on("disconnect", () => leaving.abort());
}
