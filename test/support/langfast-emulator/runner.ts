import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Server } from "socket.io";
import type { Socket } from "socket.io";
import type { Account, Accounts } from "./auth.ts";
import { takeFault } from "./faults.ts";
import type { Frame } from "./frames.ts";
import type { Journal } from "./journal.ts";
import { Refusal, Violation } from "./refusal.ts";
import type { EmulatorScript } from "./script.ts";
import { aborted, pause } from "./waiting.ts";

/** What the runner needs of the rest. */
export interface RunnerParts {
  readonly journal: Journal;
  readonly accounts: Accounts;
  readonly script: () => EmulatorScript;
  /** Aborted when the emulator stops. */
  readonly signal: AbortSignal;
  /** Called when a user's last socket is gone. */
  readonly left: (userId: string) => void;
}

// Engine.IO's code for a transport that the server doesn't offer.
const TRANSPORT_UNKNOWN = 0;

/** The Socket.IO side: lets users in by their access token and carries events to all sockets of a user. */
export class Runner implements AsyncDisposable {
  readonly #http = createServer();
  readonly #server = new Server(this.#http, {
    transports: ["websocket"],
    serveClient: false,
    cors: { origin: "*" },
  });
  readonly #sockets = new Map<string, Set<Socket>>();
  readonly #parts: RunnerParts;
  opened = 0;

  private constructor(parts: RunnerParts) {
    this.#parts = parts;
    this.#server.use((socket, next) => void this.#letIn(socket, next));
    this.#server.on("connection", (socket) => this.#welcome(socket));
    this.#server.engine.on("connection_error", (error: { code: number; message: string }) => {
      if (error.code === TRANSPORT_UNKNOWN) parts.journal.violated("a transport other than websocket");
    });
  }

  static async listen(port: number, parts: RunnerParts): Promise<Runner> {
    const runner = new Runner(parts);
    const listening = once(runner.#http, "listening");
    runner.#http.listen(port, "127.0.0.1");
    await listening;
    return runner;
  }

  get port(): number {
    return (this.#http.address() as AddressInfo).port;
  }

  get open(): number {
    let open = 0;
    for (const sockets of this.#sockets.values()) open += sockets.size;
    return open;
  }

  emit(userId: string, frame: Frame): void {
    for (const socket of this.#sockets.get(userId) ?? []) socket.emit(frame.event, ...frame.payload);
  }

  /** Cuts the connections under the sockets, after what was emitted. */
  drop(userId?: string): void {
    for (const socket of this.#of(userId)) socket.conn.close();
  }

  /** Sends the sockets away by Socket.IO's own means, after what was emitted. */
  disconnect(userId?: string): void {
    for (const socket of this.#of(userId)) socket.disconnect(true);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.disconnectSockets(true);
    this.#http.closeAllConnections();
    await this.#server.close();
  }

  #of(userId?: string): readonly Socket[] {
    const all = userId === undefined ? [...this.#sockets.values()] : [this.#sockets.get(userId) ?? []];
    return all.flatMap((sockets) => [...sockets]);
  }

  async #letIn(socket: Socket, next: (error?: Error) => void): Promise<void> {
    const { journal, accounts, script, signal } = this.#parts;
    const fault = takeFault(script().connect, journal.called("connect"));
    if (fault?.delay) await pause(fault.delay, signal);
    if (fault?.hang) await aborted(signal);
    try {
      if (fault?.status !== undefined) throw new Refusal(fault.status, undefined, fault.errorCode);
      const token: unknown = socket.handshake.auth["token"];
      if (typeof token !== "string") throw new Violation(401, "a socket without auth.token");
      (socket.data as { account: Account }).account = accounts.verify(token);
      next();
    } catch (error) {
      next(connectError(error, journal));
    }
  }

  #welcome(socket: Socket): void {
    const { journal, left } = this.#parts;
    const { account } = socket.data as { account: Account };
    const sockets = this.#sockets.get(account.id) ?? new Set();
    this.#sockets.set(account.id, sockets.add(socket));
    account.sockets = sockets.size;
    account.socketsOpened++;
    this.opened++;
    socket.onAny((event: string) => journal.violated(`the client emitted ${event}`));
    socket.on("disconnect", () => {
      sockets.delete(socket);
      account.sockets = sockets.size;
      if (sockets.size === 0) {
        this.#sockets.delete(account.id);
        left(account.id);
      }
      journal.changed();
    });
    journal.changed();
  }
}

/** An error that reaches the client as connect_error with `data`. */
function connectError(error: unknown, journal: Journal): Error {
  const refusal = error instanceof Refusal ? error : new Violation(500, `the emulator: ${String(error)}`);
  if (refusal instanceof Violation) journal.violated(`connect: ${refusal.message}`);
  const data = { status: refusal.status, code: refusal.errorCode, message: refusal.message };
  return Object.assign(new Error(refusal.message), { data });
}
