/** An HTTP address that answers only when it is told to: by it a test decides how far an upstream gets. */
export interface Gate extends AsyncDisposable {
  readonly url: string;
  /** Resolves when somebody waits before it. */
  readonly reached: Promise<void>;
  /** Lets all through, now and later. */
  open(): void;
}

/** A closed gate on a free loopback port. */
export function closedGate(): Gate {
  const reached = Promise.withResolvers<void>();
  const opened = Promise.withResolvers<void>();
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    async fetch() {
      reached.resolve();
      await opened.promise;
      return new Response("open");
    },
  });
  return {
    url: server.url.href,
    reached: reached.promise,
    open: opened.resolve,
    async [Symbol.asyncDispose]() {
      opened.resolve();
      await server.stop(true);
    },
  };
}
