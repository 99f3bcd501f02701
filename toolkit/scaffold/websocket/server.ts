import type { ServerWebSocket } from "bun";
import type { Frame, Sent } from "./frames.ts";

export interface Question {
  readonly messages: readonly { readonly content: string }[];
}

/** The connection to the client. */
export interface Line {
  /** Aborts when the client disconnects. */
  readonly signal: AbortSignal;
  readonly socket: ServerWebSocket<Asker>;
  /** Sends a frame. Returns its size in bytes, or 0 when the socket is closed. */
  readonly say: (frame: Frame) => number;
}

interface Asker {
  readonly key: string;
  readonly leaving: AbortController;
}

/** The behaviour of the emulated upstream: answers one request that was sent with this key. */
export type Behaviour = (question: Question, line: Line, key: string) => void | Promise<void>;

/** Serves the upstream's protocol on 127.0.0.1. Port 0 picks a free one. */
export function serve(port: number, behave: Behaviour) {
  return Bun.serve({
    hostname: "127.0.0.1",
    port,
    fetch(request, server) {
      if (request.url.endsWith("/models")) return Response.json({ models: ["small", "large"] });
      const key = request.headers.get("authorization")?.replace("Bearer ", "") ?? "";
      const data: Asker = { key, leaving: new AbortController() };
      return server.upgrade(request, { data }) ? undefined : new Response("sockets only", { status: 426 });
    },
    websocket: {
      data: {} as Asker,
      message(socket: ServerWebSocket<Asker>, text) {
        const sent = JSON.parse(String(text)) as Sent;
        if (!("ask" in sent)) return;
        const { key, leaving } = socket.data;
        const say = (frame: Frame) => {
          const text = JSON.stringify(frame);
          // A buffered frame returns -1, and is sent, too.
          return socket.send(text) === 0 ? 0 : Buffer.byteLength(text);
        };
        void behave(sent.ask as unknown as Question, { signal: leaving.signal, socket, say }, key);
      },
      close: (socket) => socket.data.leaving.abort(),
    },
  });
}
