import { asNumber, member } from "modelyard/kit";
import { io } from "socket.io-client";
import type { Socket } from "socket.io-client";
import { UpstreamError } from "modelyard/plugin";
import { readChunk, readFinished } from "../run/events.ts";
import type { LateMarks } from "./late-end-marks.ts";
import { Router } from "./event-demux.ts";
import type { RouterParts } from "./event-demux.ts";
import type { Listener } from "../run/run.ts";
import type { Json } from "modelyard/plugin";

/** How long a socket may take, and how long one that nobody uses is kept. Milliseconds. */
export interface ConnectionTimes {
  readonly connect: number;
  readonly idle: number;
}

/** The gateway's `connect` deadline ends a single run's wait earlier; this one ends a socket that hangs. */
export const CONNECTION_TIMES: ConnectionTimes = { connect: 20_000, idle: 60_000 };

/** What all connections of an upstream share. */
export interface ConnectionParts extends RouterParts {
  readonly url: string;
  readonly times: ConnectionTimes;
}

/** How a connection is made, and who is told that it is gone. */
export interface ConnectionCall {
  readonly token: string;
  /** Of the credential's user. */
  readonly lateMarks: LateMarks;
  readonly closed: () => void;
}

/**
 * One socket of one credential, from its opening to its end: it is never reconnected, because all that ran on it
 * is lost with it and the next run opens another. It stays open for a while when its last run has left, but not
 * when something may still come for a run that was left: then it closes, which is all a client can do to end it.
 */
export class Connection {
  #state: "connecting" | "open" | "closed" = "connecting";
  #isRetired = false;
  #cancelTimer: () => void;
  readonly #socket: Socket;
  readonly #router: Router;
  readonly #parts: ConnectionParts;
  readonly #closed: () => void;

  constructor(parts: ConnectionParts, { token, lateMarks, closed }: ConnectionCall) {
    this.#parts = parts;
    this.#closed = closed;
    this.#router = new Router(parts, lateMarks);
    this.#socket = io(parts.url, {
      transports: ["websocket"],
      auth: { token },
      forceNew: true,
      reconnection: false,
    });
    this.#listen();
    const tooLate = new UpstreamError("unavailable", "the prompt runner's socket didn't open in time");
    this.#cancelTimer = parts.clock.after(parts.times.connect, () => this.close(tooLate));
  }

  get state(): "connecting" | "open" | "closed" {
    return this.#state;
  }

  get runs(): number {
    return this.#router.runs.size;
  }

  /** Whether the service doesn't name its runs, so that the next needs a new socket. */
  get isNameless(): boolean {
    return this.#router.isNameless;
  }

  /** Puts a run on the socket, and tells it when the socket stands. */
  join(run: Listener): void {
    this.#router.join(run);
    if (this.#state === "open") {
      this.#cancelTimer();
      run.opened();
    }
  }

  /** Takes a run off the socket. */
  leave(run: Listener): void {
    this.#router.leave(run);
    if (this.runs > 0 || this.#state === "closed") return;
    if (this.#state === "connecting" || this.#isSpent()) this.close();
    else this.#closeLater();
  }

  /** Says which executions are a run's. */
  claim(run: Listener, ids: readonly string[]): void {
    this.#router.claim(run, ids);
  }

  /** Closes when the runs that are on it have left. */
  retire(): void {
    this.#isRetired = true;
    if (this.runs === 0) this.close();
  }

  /** Closes now; runs that are on it fail with `error`. */
  close(error: unknown = new UpstreamError("unavailable", "the prompt runner's socket was closed")): void {
    this.#end((run) => run.fail(error));
  }

  #listen(): void {
    const { tally } = this.#parts;
    this.#socket.on("connect", () => this.#opened());
    this.#socket.on("connect_error", (error) => this.close(connectError(error)));
    this.#socket.on("disconnect", (reason) => this.#end((run) => run.lost(reason)));
    this.#socket.onAny((name: string, data: unknown) => {
      if (this.#state === "closed") return;
      const chunk = name === "execution:chunk" ? readChunk(data) : undefined;
      if (chunk) this.#router.chunk(chunk);
      else if (name === "completion_finished") this.#router.finished(readFinished(data));
      else tally.unknown++;
    });
  }

  #opened(): void {
    if (this.#state !== "connecting") return;
    this.#state = "open";
    this.#cancelTimer();
    for (const run of this.#router.runs) run.opened();
    if (this.runs === 0) this.#closeLater();
  }

  #isSpent(): boolean {
    return this.#isRetired || this.#router.isSpoilt || this.#router.isNameless;
  }

  #closeLater(): void {
    this.#cancelTimer();
    this.#cancelTimer = this.#parts.clock.after(this.#parts.times.idle, () => this.close());
  }

  #end(tell: (run: Listener) => void): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#cancelTimer();
    this.#socket.disconnect();
    this.#closed();
    for (const run of this.#router.runs) tell(run);
  }
}

const OVERLOADED = /overload|capacity|too many|rate.?limit|try again|busy|maintenance|unavailable/i;

/**
 * Why a socket didn't open. The server's own word (it has `data`, be it undefined) is about the credential unless
 * it says otherwise; anything else is about the way there.
 */
function connectError(error: Error): UpstreamError {
  if (!("data" in error)) {
    return new UpstreamError("unreachable", "the prompt runner can't be reached", { detail: error.message });
  }
  const status = asNumber(member(error.data as Json | undefined, "status")) ?? 0;
  const message = `the prompt runner refuses the connection: ${error.message}`;
  if (status === 429) return new UpstreamError("rate-limited", message);
  if (status === 401 || status === 403) return new UpstreamError("rejected", message);
  // It is another address, or another protocol, that would be right; not another user.
  if (status === 400 || status === 404 || /invalid namespace/i.test(error.message))
    return new UpstreamError("unavailable", message);
  if (status >= 500 || OVERLOADED.test(error.message)) return new UpstreamError("unavailable", message);
  return new UpstreamError("rejected", message);
}
