import type { Database } from "bun:sqlite";

/** Approximate number of pages in the WAL that starts a checkpoint. */
const LOG_PAGES = 1_000;
/** Estimate of the pages that a batch writes: a fixed part, and one page for this many rows. */
const BATCH_PAGES = 8;
const ROWS_OF_PAGE = 8;
/** Pages (32 MiB) from which on the writer runs the checkpoint itself. */
const TOO_MANY_PAGES = 8_192;

/**
 * Configures a connection for writing. In WAL mode, `synchronous = NORMAL` may lose the last commits on power loss but
 * never corrupts the database. Checkpoints, which wait for the disk, are left to `Checkpoints`.
 */
export function prepareWriting(database: Database): void {
  database.run("PRAGMA synchronous = NORMAL");
  database.run(`PRAGMA wal_autocheckpoint = ${TOO_MANY_PAGES}`);
}

/** Runs WAL checkpoints of a database in a worker. */
export class Checkpoints implements Disposable {
  readonly #file: string;
  #pages = 0;
  #worker: Worker | undefined;
  #isAtWork = false;
  #isDisposed = false;

  constructor(file: string) {
    this.#file = file;
  }

  /** Counts a written batch and starts a checkpoint when enough pages are in the WAL. */
  wrote(rows: number): void {
    this.#pages += BATCH_PAGES + rows / ROWS_OF_PAGE;
    if (this.#pages < LOG_PAGES || this.#isAtWork) return;
    this.#pages = 0;
    this.#isAtWork = true;
    this.#worker ??= this.#start();
    this.#worker.postMessage(this.#file);
  }

  [Symbol.dispose](): void {
    this.#isDisposed = true;
    if (!this.#isAtWork) this.#end();
  }

  #start(): Worker {
    const worker = new Worker(new URL("./checkpoint-worker.ts", import.meta.url), { ref: false });
    worker.onmessage = () => {
      this.#isAtWork = false;
      if (this.#isDisposed) this.#end();
    };
    worker.onerror = (event) => {
      event.preventDefault();
      this.#isAtWork = false;
      this.#end();
    };
    return worker;
  }

  #end(): void {
    this.#worker?.terminate();
    this.#worker = undefined;
  }
}
