import { asNumber, member } from "modelyard/kit";
import { io } from "socket.io-client";
import type { Socket } from "socket.io-client";
import { UpstreamError } from "modelyard/plugin";
import { readChunk, readFinished } from "../run/events.ts";
import type { LateEndMarks } from "./late-end-marks.ts";
import { EventDemux } from "./event-demux.ts";
import type { EventDemuxDeps } from "./event-demux.ts";
import type { Run } from "../run/run.ts";
import type { Json } from "modelyard/plugin";

/** The timeouts of a socket's opening and of an open socket without runs, in milliseconds. */
export interface ConnectionTimes {
  readonly connect: number;
  readonly idle: number;
}

/** The timeouts outside tests. The gateway's `connect` deadline ends a single run's wait earlier. */
export const CONNECTION_TIMES: ConnectionTimes = { connect: 20_000, idle: 60_000 };

/** The dependencies that all connections of an upstream share. */
export interface ConnectionDeps extends EventDemuxDeps {
  readonly url: string;
  readonly times: ConnectionTimes;
}

/** The access token, shared state and callback of one connection. */
export interface ConnectionOptions {
  readonly token: string;
  /** The late end marks of the credential's user. */
  readonly lateEndMarks: LateEndMarks;
  readonly onClose: () => void;
}

/**
 * One socket of one credential. It is never reconnected: its runs are lost with it, and the next run opens another.
 * After its last run has detached it stays open for the idle timeout, unless events of an abandoned run may still
 * arrive: then it closes at once, as the protocol has no other way to cancel a run.
 */
export class Connection {
  #state: "connecting" | "open" | "closed" = "connecting";
  #isRetired = false;
  #cancelTimer: () => void;
  readonly #socket: Socket;
  readonly #demux: EventDemux;
  readonly #deps: ConnectionDeps;
  readonly #onClose: () => void;

  constructor(deps: ConnectionDeps, { token, lateEndMarks, onClose }: ConnectionOptions) {
    this.#deps = deps;
    this.#onClose = onClose;
    this.#demux = new EventDemux(deps, lateEndMarks);
    this.#socket = io(deps.url, {
      transports: ["websocket"],
      auth: { token },
      forceNew: true,
      reconnection: false,
    });
    this.#listen();
    const tooLate = new UpstreamError("unavailable", "the prompt runner's socket didn't open in time");
    this.#cancelTimer = deps.clock.after(deps.times.connect, () => this.close(tooLate));
  }

  get state(): "connecting" | "open" | "closed" {
    return this.#state;
  }

  get runCount(): number {
    return this.#demux.runs.size;
  }

  /** Whether events had no run ids, so that the next run needs a new socket. */
  get lacksIds(): boolean {
    return this.#demux.lacksIds;
  }

  /** Attaches a run and calls its `onOpen` when the socket is open. */
  attach(run: Run): void {
    this.#demux.attach(run);
    if (this.#state === "open") {
      this.#cancelTimer();
      run.onOpen();
    }
  }

  /** Detaches a run, finished or not. */
  detach(run: Run): void {
    this.#demux.detach(run);
    if (this.runCount > 0 || this.#state === "closed") return;
    if (this.#state === "connecting" || this.#isRetired || this.#demux.isTainted || this.#demux.lacksIds)
      this.close();
    else this.#closeLater();
  }

  /** Assigns execution ids to a run. */
  assign(run: Run, ids: readonly string[]): void {
    this.#demux.assign(run, ids);
  }

  /** Closes when no run is attached any more. */
  retire(): void {
    this.#isRetired = true;
    if (this.runCount === 0) this.close();
  }

  /** Closes now; attached runs fail with `error`. */
  close(error: unknown = new UpstreamError("unavailable", "the prompt runner's socket was closed")): void {
    this.#end((run) => run.fail(error));
  }

  #listen(): void {
    const { drops } = this.#deps;
    this.#socket.on("connect", () => this.#onOpen());
    this.#socket.on("connect_error", (error) => this.close(connectError(error)));
    this.#socket.on("disconnect", (reason) => this.#end((run) => run.onDisconnect(reason)));
    this.#socket.onAny((name: string, data: unknown) => {
      if (this.#state === "closed") return;
      const chunk = name === "execution:chunk" ? readChunk(data) : undefined;
      if (chunk) this.#demux.onChunk(chunk);
      else if (name === "completion_finished") this.#demux.onFinished(readFinished(data));
      else drops.unknown++;
    });
  }

  #onOpen(): void {
    if (this.#state !== "connecting") return;
    this.#state = "open";
    this.#cancelTimer();
    for (const run of this.#demux.runs) run.onOpen();
    if (this.runCount === 0) this.#closeLater();
  }

  #closeLater(): void {
    this.#cancelTimer();
    this.#cancelTimer = this.#deps.clock.after(this.#deps.times.idle, () => this.close());
  }

  #end(notify: (run: Run) => void): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#cancelTimer();
    this.#socket.disconnect();
    this.#onClose();
    for (const run of this.#demux.runs) notify(run);
  }
}

const OVERLOADED = /overload|capacity|too many|rate.?limit|try again|busy|maintenance|unavailable/i;

/**
 * Maps a `connect_error`. An error with the member `data` was sent by the server and blames the credential unless its
 * status or message says otherwise; any other error is the network's.
 */
function connectError(error: Error): UpstreamError {
  if (!("data" in error)) {
    return new UpstreamError("unreachable", "the prompt runner can't be reached", { detail: error.message });
  }
  const status = asNumber(member(error.data as Json | undefined, "status")) ?? 0;
  const message = `the prompt runner refused the connection: ${error.message}`;
  if (status === 429) return new UpstreamError("rate-limited", message);
  if (status === 401 || status === 403) return new UpstreamError("rejected", message);
  // The address or the protocol is wrong; another credential wouldn't help.
  if (status === 400 || status === 404 || /invalid namespace/i.test(error.message))
    return new UpstreamError("unavailable", message);
  if (status >= 500 || OVERLOADED.test(error.message)) return new UpstreamError("unavailable", message);
  return new UpstreamError("rejected", message);
}
