import { Channel } from "modelyard/kit";
import { UpstreamError } from "modelyard/plugin";
import type { JsonObject, Static } from "modelyard/plugin";
import { io } from "socket.io-client";
import type { options } from "./options.ts";

/** One message of the upstream. Only the last one of an answer has `end`. */
export interface Piece {
  readonly models?: readonly string[];
  readonly text?: string;
  readonly error?: string;
  /** The code of an error, if it has one. */
  readonly code?: "improper" | "too-large";
  readonly end?: "stop" | "length" | "content_filter";
  readonly tokens?: { readonly read: number; readonly written: number };
}

/** The event that is sent when the socket is open. */
export interface Question {
  readonly event: string;
  readonly body?: JsonObject;
}

/** The caller: a call, or a request for the list of models. */
export interface Asker {
  readonly signal: AbortSignal;
  connected?(): void;
}

// A socket can't be paused: an answer fails when its reader falls behind further than this.
const MOST_WAITING = { maxItems: 10_000, maxSize: 8 * 1024 * 1024 };

/**
 * Sends a request on a socket of its own, and yields messages until the reader returns. Throws UpstreamError when the
 * upstream refuses the connection or the socket closes, and the reason of the caller's signal.
 */
export async function* ask(
  upstream: Static<typeof options>,
  { event, body = {} }: Question,
  asker: Asker,
): AsyncGenerator<Piece, void> {
  const auth = { key: upstream.api_key };
  const socket = io(upstream.base_url, {
    auth,
    transports: ["websocket"],
    forceNew: true,
    reconnection: false,
  });
  const heard = new Channel<Piece>({
    ...MOST_WAITING,
    sizeOf: ({ text = "" }) => text.length,
    signal: asker.signal,
    onCancel() {
      // Closing the socket suffices here. Where answers share a socket, this ends one of them.
      if (socket.connected) socket.emit("cancel");
      socket.disconnect();
    },
  });
  socket.on("connect", () => {
    asker.connected?.();
    socket.emit(event, body);
  });
  socket.on("piece", (said: unknown) => {
    if (!isPiece(said))
      return heard.fail(new UpstreamError("bad-response", "the upstream sent an invalid message"));
    heard.push(said);
    if (isLast(said)) heard.end();
  });
  socket.on("connect_error", (error) => heard.fail(refusalOf(error)));
  socket.on("disconnect", (why) => heard.fail(new UpstreamError("truncated", `the socket closed: ${why}`)));
  try {
    yield* heard;
  } finally {
    socket.disconnect();
  }
}

function isPiece(said: unknown): said is Piece {
  return typeof said === "object" && said !== null;
}

function isLast({ end, error, models }: Piece): boolean {
  return [end, error, models].some((said) => said !== undefined);
}

/** The `data` of a refused connection. */
interface Refusal {
  readonly code?: "bad-key" | "too-many" | "no-credit";
  readonly wait_seconds?: number;
}

function refusalOf(error: Error & { readonly data?: Refusal }): UpstreamError {
  const { code, wait_seconds = 0 } = error.data ?? {};
  if (code === "bad-key") return new UpstreamError("rejected", error.message);
  const when = { retryAfterMs: wait_seconds * 1000 };
  if (code === "too-many") return new UpstreamError("rate-limited", error.message, when);
  if (code === "no-credit") return new UpstreamError("out-of-credit", error.message, when);
  return new UpstreamError("unreachable", `no connection: ${error.message}`);
}
