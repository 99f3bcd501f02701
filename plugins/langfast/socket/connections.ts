import type { JsonObject } from "modelyard/plugin";
import { Connection } from "./connection.ts";
import type { ConnectionDeps } from "./connection.ts";
import type { Credential } from "../auth/credentials.ts";
import { EXPECTED_MS, LateEndMarks } from "./late-end-marks.ts";
import type { Run } from "../run/run.ts";

/** A run attached to a socket; disposing of it detaches the run. */
export interface Attachment extends Disposable {
  /** Assigns execution ids to the run. */
  assign(ids: readonly string[]): void;
}

/** Opens the sockets of an upstream on demand, at most one for each credential. */
export class Connections {
  readonly #byCredential = new Map<string, Connection>();
  readonly #lateEndMarks = new Map<string, LateEndMarks>();
  readonly #deps: ConnectionDeps;
  #opened = 0;
  #isClosed = false;
  readonly #lateEventWaits = new Set<() => void>();

  constructor(deps: ConnectionDeps) {
    this.#deps = deps;
  }

  /** Attaches a run to its credential's socket. The run is notified when it is open, or fails. */
  attach(credential: Credential, run: Run): Attachment {
    const connection = this.#byCredential.get(credential.id) ?? this.#open(credential);
    connection.attach(run);
    return {
      assign: (ids) => connection.assign(run, ids),
      [Symbol.dispose]: () => this.#detach(connection, credential, run),
    };
  }

  /** Closes the credential's socket as soon as no run is attached to it. */
  retire(id: string): void {
    const connection = this.#byCredential.get(id);
    this.#byCredential.delete(id);
    this.#lateEndMarks.delete(id);
    connection?.retire();
  }

  /** Resolves when events of a run abandoned now are no longer expected, or when the sockets are closed for good. */
  lateEvents(): Promise<void> {
    return new Promise((resolve) => {
      this.#lateEventWaits.add(resolve);
      this.#deps.clock.after(EXPECTED_MS, () => {
        this.#lateEventWaits.delete(resolve);
        resolve();
      });
    });
  }

  /** Closes all sockets; none is opened afterwards. */
  close(): void {
    this.#isClosed = true;
    for (const resolve of this.#lateEventWaits) resolve();
    for (const connection of this.#byCredential.values()) connection.close();
  }

  /** Returns the number of sockets by state, of attached runs, and of sockets ever opened. */
  status(): JsonObject {
    const all = [...this.#byCredential.values()];
    return {
      connecting: all.filter(({ state }) => state === "connecting").length,
      open: all.filter(({ state }) => state === "open").length,
      opened: this.#opened,
      runs: all.reduce((sum, { runCount }) => sum + runCount, 0),
    };
  }

  #open(credential: Credential): Connection {
    const { id, access_token: token } = credential;
    const lateEndMarks = this.#lateEndMarks.get(id) ?? new LateEndMarks(this.#deps.clock);
    this.#lateEndMarks.set(id, lateEndMarks);
    const connection: Connection = new Connection(this.#deps, {
      token,
      lateEndMarks,
      onClose: () => {
        if (this.#byCredential.get(id) === connection) this.#byCredential.delete(id);
      },
    });
    this.#opened++;
    this.#byCredential.set(id, connection);
    return connection;
  }

  #detach(connection: Connection, credential: Credential, run: Run): void {
    const isCurrent = this.#byCredential.get(credential.id) === connection;
    connection.detach(run);
    // Without run ids each run needs a new socket: the next one's is opened ahead.
    const isUsedUp = isCurrent && run.hasEnded && connection.lacksIds && connection.runCount === 0;
    if (isUsedUp && !this.#isClosed) this.#open(credential);
  }
}
