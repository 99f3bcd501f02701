import type { ConnectionMeans, Origin } from "./connection.ts";
import { Connection } from "./connection.ts";

/** Shorter than servers keep theirs (Node.js and uvicorn: 5 s), so that a request seldom meets one that is being closed. */
const IDLE_MS = 4_000;
/** Idle connections to one server beyond these are closed at once. */
const MAX_IDLE = 256;

/** The connections to one server that wait for another request. */
export class Connections {
  readonly origin: Origin;
  readonly #means: ConnectionMeans;
  /** The one that was used last is the last. */
  readonly #idle: Connection[] = [];
  #isToBeSwept = false;

  constructor(origin: Origin, means: ConnectionMeans) {
    this.origin = origin;
    this.#means = means;
  }

  /** One that waits, the one that was used last. */
  take(): Connection | undefined {
    // Timers stand still while a machine sleeps.
    if (this.#idle.length > 0 && isStale(this.#idle.at(-1))) this.dropIdle();
    return this.#idle.pop();
  }

  /** Another one, to be opened. */
  make(): Connection {
    return new Connection({ ...this.#means, idle: this.#keep, closed: this.#forget });
  }

  /** Closes all that wait: they may have been cut off without a word, as one of them was. */
  dropIdle(): void {
    for (const connection of this.#idle.splice(0)) connection.close();
  }

  readonly #keep = (connection: Connection): void => {
    if (this.#idle.length >= MAX_IDLE) return connection.close();
    this.#idle.push(connection);
    this.#sweepLater();
  };

  readonly #forget = (connection: Connection): void => {
    const index = this.#idle.indexOf(connection);
    if (index >= 0) this.#idle.splice(index, 1);
  };

  #sweepLater(): void {
    if (this.#isToBeSwept) return;
    this.#isToBeSwept = true;
    setTimeout(this.#sweep, IDLE_MS).unref();
  }

  readonly #sweep = (): void => {
    this.#isToBeSwept = false;
    // Those that wait longest are the first.
    for (let oldest = this.#idle[0]; oldest && isStale(oldest); oldest = this.#idle[0]) {
      this.#idle.shift();
      oldest.close();
    }
    if (this.#idle.length > 0) this.#sweepLater();
  };
}

/** A clock that was set back must not keep one for longer. */
function isStale(connection: Connection | undefined): boolean {
  return connection !== undefined && Math.abs(Date.now() - connection.idleSince) >= IDLE_MS;
}
