import type { JsonObject } from "modelyard/plugin";
import { Connection } from "./connection.ts";
import type { ConnectionParts } from "./connection.ts";
import type { Credential } from "../auth/credentials.ts";
import { LateMarks } from "./late-end-marks.ts";
import type { Listener } from "../run/run.ts";

/** A run's place on a socket; disposing of it gives the place up. */
export interface Seat extends Disposable {
  /** Says which executions are the run's. */
  claim(ids: readonly string[]): void;
}

/** At most one socket for each credential, opened when it is first needed. */
export class Connections {
  readonly #byCredential = new Map<string, Connection>();
  readonly #lateMarks = new Map<string, LateMarks>();
  readonly #parts: ConnectionParts;
  #opened = 0;
  #isClosed = false;

  constructor(parts: ConnectionParts) {
    this.#parts = parts;
  }

  /** Puts a run on its credential's socket. The run is told when the socket stands, or why it doesn't. */
  join(credential: Credential, run: Listener): Seat {
    const connection = this.#byCredential.get(credential.id) ?? this.#open(credential);
    connection.join(run);
    return {
      claim: (ids) => connection.claim(run, ids),
      [Symbol.dispose]: () => this.#leave(connection, credential, run),
    };
  }

  /** No new run is put on this credential's socket; it closes when the last has left. */
  retire(id: string): void {
    const connection = this.#byCredential.get(id);
    this.#byCredential.delete(id);
    this.#lateMarks.delete(id);
    connection?.retire();
  }

  /** Closes all sockets for good. */
  close(): void {
    this.#isClosed = true;
    for (const connection of this.#byCredential.values()) connection.close();
  }

  /** Sockets by state, the runs on them, and how many were ever opened. */
  status(): JsonObject {
    const all = [...this.#byCredential.values()];
    return {
      connecting: all.filter(({ state }) => state === "connecting").length,
      open: all.filter(({ state }) => state === "open").length,
      opened: this.#opened,
      runs: all.reduce((sum, { runs }) => sum + runs, 0),
    };
  }

  #open(credential: Credential): Connection {
    const { id, access_token: token } = credential;
    const lateMarks = this.#lateMarks.get(id) ?? new LateMarks(this.#parts.clock);
    this.#lateMarks.set(id, lateMarks);
    const connection: Connection = new Connection(this.#parts, {
      token,
      lateMarks,
      closed: () => {
        if (this.#byCredential.get(id) === connection) this.#byCredential.delete(id);
      },
    });
    this.#opened++;
    this.#byCredential.set(id, connection);
    return connection;
  }

  #leave(connection: Connection, credential: Credential, run: Listener): void {
    const isCurrent = this.#byCredential.get(credential.id) === connection;
    connection.leave(run);
    // Its socket is used up, but the next run need not wait for another: it opens now.
    const isSpent = isCurrent && run.hasEnded && connection.isNameless && connection.runs === 0;
    if (isSpent && !this.#isClosed) this.#open(credential);
  }
}
