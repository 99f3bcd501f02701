/**
 * An upstream over raw TCP that tests control to the byte: what it says, when, and how it breaks.
 * @module
 */
import { Connection } from "./exchange.ts";
import type { Exchange } from "./exchange.ts";
import { openaiChunks, sseAnswer } from "./openai-answer.ts";

export type { Exchange } from "./exchange.ts";
export { bodyStart, jsonAnswer, openaiChunks, openaiCompletion, sseAnswer } from "./openai-answer.ts";
export type { Framing, OpenaiChunksOptions } from "./openai-answer.ts";

const KEPT = 1_000;

export interface FaultUpstream extends AsyncDisposable {
  /** `http://127.0.0.1:PORT`, without `/v1`. */
  readonly url: string;
  readonly port: number;
  /** Answers each request, body and all. At first: a streamed "Hello there!". */
  respond: (exchange: Exchange) => void | Promise<void>;
  /** The last 1,000 requests. */
  readonly requests: readonly Exchange[];
  /** Connections open now. */
  readonly connections: number;
}

/** How `playTo` breaks off. `garbage` sends bytes that are neither HTTP nor UTF-8 and then closes. */
export type Break = "reset" | "close" | "stall" | "garbage";

/** Starts the upstream on 127.0.0.1, on any free port. Stopping it throws what `respond` has thrown. */
export function startFaultUpstream(): Promise<FaultUpstream> {
  const requests: Exchange[] = [];
  const errors: unknown[] = [];
  const open = new Set<Connection>();
  const leave = (connection: Connection): void => {
    open.delete(connection);
    connection.gone();
  };
  const answer = async (exchange: Exchange): Promise<void> => {
    requests.push(exchange);
    if (requests.length > KEPT) requests.shift();
    try {
      await upstream.respond(exchange);
    } catch (error) {
      errors.push(error);
      exchange.reset();
    }
  };
  const listener = Bun.listen<Connection>({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      open(socket) {
        socket.data = new Connection(socket, answer);
        open.add(socket.data);
      },
      data: (socket, bytes) => socket.data.read(bytes),
      drain: (socket) => socket.data.flush(),
      end: (socket) => leave(socket.data),
      // A client's RST; `close` follows.
      error() {},
      close: (socket) => leave(socket.data),
    },
  });
  const upstream: FaultUpstream = {
    url: `http://127.0.0.1:${listener.port}`,
    port: listener.port,
    respond: (exchange) => exchange.send(sseAnswer(openaiChunks("Hello there!"))),
    requests,
    get connections() {
      return open.size;
    },
    [Symbol.asyncDispose]() {
      for (const connection of open) connection.reset();
      listener.stop(true);
      if (errors.length === 0) return Promise.resolve();
      return Promise.reject(new AggregateError(errors, "the upstream's respond threw"));
    },
  };
  return Promise.resolve(upstream);
}

/**
 * Sends the first `cutAt` bytes and then breaks off; resolves when the kernel has taken them and the break is
 * done. What Bun's fetch (1.4.5) makes of it: within a framed body it rejects with ECONNRESET, except that a
 * chunked body is whole for it from `0\r\n` on, two bytes before its end; within an unframed body even a reset is
 * a clean end, so that only what the text itself says can tell.
 */
export async function playTo(
  exchange: Exchange,
  bytes: Uint8Array,
  cutAt: number,
  how: Break,
): Promise<void> {
  exchange.send(bytes.subarray(0, cutAt));
  if (how === "garbage") exchange.send(new Uint8Array([0xff, 0x00, 0xfe, 0x7f, 0xc3, 0x28]));
  await exchange.flushed();
  if (how === "reset") exchange.reset();
  else if (how !== "stall") exchange.close();
}
