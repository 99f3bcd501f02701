/** A server on the loopback that sends `start` to whoever asks, and then nothing more. */
export interface SilentServer extends AsyncDisposable {
  readonly url: string;
  /** Resolves when a request has come. */
  readonly asked: Promise<Request>;
  /** Resolves when the client has closed its connection. */
  readonly gone: Promise<void>;
}

/** An answer that begins with `start` and never ends; without `start` not even its headers come. */
export function silentServer(start?: string, init?: ResponseInit): SilentServer {
  const asked = Promise.withResolvers<Request>();
  const gone = Promise.withResolvers<void>();
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    fetch(request) {
      request.signal.addEventListener("abort", () => gone.resolve());
      asked.resolve(request);
      if (start === undefined) return new Promise<Response>(() => {});
      const body = new ReadableStream({
        start: (controller) => controller.enqueue(new TextEncoder().encode(start)),
      });
      return new Response(body, init ?? { headers: { "content-type": "text/event-stream" } });
    },
  });
  return {
    url: server.url.href,
    asked: asked.promise,
    gone: gone.promise,
    [Symbol.asyncDispose]: () => server.stop(true),
  };
}

/** A server that answers each connection with the same bytes, whether or not they are HTTP. */
export interface RawServer extends Disposable {
  readonly url: string;
  /** Breaks off all connections. */
  breakOff(): void;
  /** Resets the connections. */
  reset(): void;
}

/** Sends exactly these bytes, then closes or resets the connection, or keeps it until `breakOff` is called. */
export function rawServer(bytes: string, end: "close" | "reset" | "keep"): RawServer {
  const sockets = new Set<Bun.Socket>();
  const server = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      open: (socket) => void sockets.add(socket),
      close: (socket) => void sockets.delete(socket),
      data(socket) {
        socket.write(bytes);
        socket.flush();
        if (end === "close") socket.end();
        if (end === "reset") socket.terminate();
      },
    },
  });
  return {
    url: `http://127.0.0.1:${server.port}/`,
    breakOff: () => sockets.forEach((socket) => socket.end()),
    reset: () => sockets.forEach((socket) => socket.terminate()),
    [Symbol.dispose]: () => server.stop(true),
  };
}
