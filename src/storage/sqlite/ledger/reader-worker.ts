/**
 * Reads ledgers away from the main thread: a sum over millions of rows would stop every stream.
 * @module
 */
import { messageOf } from "../../../log.ts";
import type { UsageQuery } from "../../../ledger/ledger-store.ts";
import { openLedgerFile } from "./file-reader.ts";

declare const self: Worker;

/** One read of a ledger: its usage, or its audit where there is no `usage`. */
export interface LedgerOrder {
  readonly id: number;
  readonly file: string;
  readonly usage: UsageQuery | undefined;
}

/** The result of an order, or the message of the error that it ended with. */
export interface LedgerResult {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: string;
}

self.onmessage = ({ data }: MessageEvent<LedgerOrder>) => self.postMessage(resultOf(data));

function resultOf({ id, file, usage }: LedgerOrder): LedgerResult {
  try {
    // Closed each time, so that the writer's connection is the last one and tidies up.
    using ledger = openLedgerFile(file);
    return { id, value: usage ? ledger.usage(usage) : ledger.audit() };
  } catch (error) {
    return { id, error: messageOf(error) };
  }
}
