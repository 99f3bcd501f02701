import type { Database } from "bun:sqlite";

/** Pages that are in the log at about the time when they are moved into the file. */
const LOG_PAGES = 1_000;
/** Pages that a batch changes besides those of its rows, and its rows of one page. */
const BATCH_PAGES = 8;
const ROWS_OF_PAGE = 8;
/** When whoever writes moves them themselves, because nobody else has done so: 32 MiB. */
const TOO_MANY_PAGES = 8_192;

/**
 * Prepares a connection that writes. With WAL, NORMAL can lose the last commits on power loss, but never corrupts;
 * moving the log into the file, which waits for the disk, is left to `Checkpoints`.
 */
export function prepareWriting(database: Database): void {
  database.run("PRAGMA synchronous = NORMAL");
  database.run(`PRAGMA wal_autocheckpoint = ${TOO_MANY_PAGES}`);
}

/** Has the log of a database moved into its file now and then, on another thread. */
export class Checkpoints implements Disposable {
  readonly #file: string;
  #pages = 0;
  #worker: Worker | undefined;
  #isAtWork = false;
  #isDisposed = false;

  constructor(file: string) {
    this.#file = file;
  }

  /** To be told of each batch. */
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
