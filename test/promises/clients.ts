import { connect } from "node:net";
import type { RunningGateway } from "../support/gateway.ts";

/** A client that may leave at any moment. */
export interface Client {
  /** Resolves when the answer's headers have come; rejects when they never will. */
  readonly headers: Promise<void>;
  /** Leaves at once. */
  leave(): void;
}

export interface ClientOptions {
  /** Whether it reads what comes. Default true. */
  readonly reads?: boolean;
}

/** A client that uses `fetch`, and aborts it. */
export function fetching(gateway: RunningGateway, body: object): Client {
  const leaving = new AbortController();
  const answer = gateway.chat(body, { signal: leaving.signal });
  const headers = answer.then((response) => {
    swallow(response.bytes());
  });
  swallow(headers);
  return { headers, leave: () => leaving.abort() };
}

/** A client that writes its request to a socket, and destroys it. */
export function connecting(
  gateway: RunningGateway,
  body: object,
  { reads = true }: ClientOptions = {},
): Client {
  const text = JSON.stringify(body);
  const { hostname, port } = new URL(gateway.url);
  const socket = connect({ host: hostname, port: Number(port) });
  const headers = new Promise<void>((resolve, reject) => {
    if (reads) socket.on("data", () => resolve());
    socket.on("close", () => reject(new Error("the connection was closed")));
  });
  swallow(headers);
  // A socket whose other side resets it while we leave has an error that interests nobody.
  socket.on("error", () => undefined);
  socket.write(
    [
      "POST /v1/chat/completions HTTP/1.1",
      `host: ${hostname}:${port}`,
      `authorization: Bearer ${gateway.key}`,
      "content-type: application/json",
      `content-length: ${Buffer.byteLength(text)}`,
      "",
      text,
    ].join("\r\n"),
  );
  return { headers, leave: () => socket.destroy() };
}

/** What a client misses by leaving is nobody's failure. */
function swallow(promise: Promise<unknown>): void {
  promise.then(undefined, () => undefined);
}
