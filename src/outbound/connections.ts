import type { Origin } from "./connection.ts";
import { Connection } from "./connection.ts";
import type { ParserMaker } from "./llhttp.ts";

/** Shorter than servers keep theirs (Node.js and uvicorn: 5 s), so that a request seldom meets one that is being closed. */
const IDLE_MS = 4_000;
/** Idle connections to one server beyond these are closed at once. */
const MAX_IDLE = 256;

/** The connections to one server that wait for another request. */
export class Connections {
  readonly #origin: Origin;
  readonly #parser: ParserMaker;
  /** The one that was used last is the last. */
  readonly #idle: Connection[] = [];
  #isToBeSwept = false;

  constructor(origin: Origin, parser: ParserMaker) {
    this.#origin = origin;
    this.#parser = parser;
  }

  /** One that waits, the one that was used last. */
  take(): Connection | undefined {
    return this.#idle.pop();
  }

  /** Opens another one. Rejects with the system's error, which has a `code`. */
  open(): Promise<Connection> {
    return Connection.open(this.#origin, {
      parser: this.#parser,
      idle: this.#keep,
      closed: this.#forget,
    });
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
    const before = performance.now() - IDLE_MS;
    // Those that wait longest are the first.
    for (let oldest = this.#idle[0]; oldest && oldest.idleSince <= before; oldest = this.#idle[0]) {
      this.#idle.shift();
      oldest.close();
    }
    if (this.#idle.length > 0) this.#sweepLater();
  };
}
