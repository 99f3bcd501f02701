import type { AuditReport, LedgerReader, UsageQuery, UsageRow } from "../../../ledger/ledger-store.ts";
import { StartupError } from "../../../errors/startup-error.ts";
import type { LedgerOrder, LedgerResult } from "./reader-worker.ts";

/** Reads a ledger file in a worker with its own connection. The worker starts with the first read. */
export class WorkerLedgerReader implements LedgerReader, Disposable {
  readonly #file: string;
  readonly #orders = new Map<number, PromiseWithResolvers<unknown>>();
  #worker: Worker | undefined;
  #lastId = 0;
  #isDisposed = false;

  constructor(file: string) {
    this.#file = file;
  }

  /** Rejects with a StartupError if the ledger can't be read. */
  usage(query: UsageQuery): Promise<readonly UsageRow[]> {
    return this.#read(query) as Promise<readonly UsageRow[]>;
  }

  /** Rejects with a StartupError if the ledger can't be read. */
  audit(): Promise<AuditReport> {
    return this.#read(undefined) as Promise<AuditReport>;
  }

  /** Terminates the worker. Pending reads reject. */
  [Symbol.dispose](): void {
    this.#isDisposed = true;
    this.#end("the storage is closed");
  }

  #read(usage: UsageQuery | undefined): Promise<unknown> {
    if (this.#isDisposed) return Promise.reject(unreadable("the storage is closed"));
    const order: LedgerOrder = { id: ++this.#lastId, file: this.#file, usage };
    const result = Promise.withResolvers<unknown>();
    this.#orders.set(order.id, result);
    this.#worker ??= this.#start();
    this.#worker.postMessage(order);
    return result.promise;
  }

  #start(): Worker {
    const worker = new Worker(new URL("./reader-worker.ts", import.meta.url));
    worker.onmessage = ({ data: { id, value, error } }: MessageEvent<LedgerResult>) => {
      const order = this.#orders.get(id);
      this.#orders.delete(id);
      if (error === undefined) order?.resolve(value);
      else order?.reject(new StartupError(error));
    };
    worker.onerror = (event) => {
      event.preventDefault();
      this.#end(event.message);
    };
    return worker;
  }

  #end(reason: string): void {
    this.#worker?.terminate();
    this.#worker = undefined;
    for (const { reject } of this.#orders.values()) reject(unreadable(reason));
    this.#orders.clear();
  }
}

function unreadable(reason: string): Error {
  return new Error(`the usage ledger can't be read: ${reason}`);
}
