/**
 * Reads ledgers in a worker: a sum over millions of rows on the main thread would stop every stream.
 * @module
 */
import { messageOf } from "../../../log.ts";
import type { UsageQuery } from "../../../ledger/ledger-store.ts";
import { openLedgerFile } from "./file-reader.ts";

declare const self: Worker;

/** A request to the worker: a usage query, or an audit if `usage` is undefined. */
export interface LedgerOrder {
  readonly id: number;
  readonly file: string;
  readonly usage: UsageQuery | undefined;
}

/** The worker's reply: the result, or the message of the error. */
export interface LedgerResult {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: string;
}

self.onmessage = ({ data }: MessageEvent<LedgerOrder>) => self.postMessage(resultOf(data));

function resultOf({ id, file, usage }: LedgerOrder): LedgerResult {
  try {
    // The connection is closed each time: SQLite removes the WAL when the last connection, the writer's, closes.
    using ledger = openLedgerFile(file);
    return { id, value: usage ? ledger.usage(usage) : ledger.audit() };
  } catch (error) {
    return { id, error: messageOf(error) };
  }
}
