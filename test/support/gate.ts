import { withinMs } from "./until.ts";

/** An HTTP address that answers only when it is told to: by it a test decides how far an upstream gets. */
export interface Gate extends AsyncDisposable {
  readonly url: string;
  /** How many have come to it so far. */
  readonly waiting: number;
  /** Resolves when so many have come to it. */
  reached(count?: number): Promise<void>;
  /** Lets all through, now and later. */
  open(): void;
}

/** A closed gate on a free loopback port. */
export function closedGate(): Gate {
  let waiting = 0;
  let arrived = Promise.withResolvers<void>();
  const opened = Promise.withResolvers<void>();
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    async fetch() {
      waiting++;
      arrived.resolve();
      arrived = Promise.withResolvers();
      await opened.promise;
      return new Response("open");
    },
  });
  return {
    url: server.url.href,
    get waiting() {
      return waiting;
    },
    async reached(count = 1) {
      while (waiting < count) await withinMs(arrived.promise, "somebody at the gate");
    },
    open: opened.resolve,
    async [Symbol.asyncDispose]() {
      opened.resolve();
      await server.stop(true);
    },
  };
}
