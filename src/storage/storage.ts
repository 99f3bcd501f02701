import type { KeyValue } from "../contract/index.ts";
import type { KeySource } from "../keys/keyring.ts";
import type { LedgerStore } from "../ledger/ledger-store.ts";

/** What survives a restart. */
export interface Storage {
  readonly keys: KeySource;
  readonly ledger: LedgerStore;
  /** One upstream's own small state, encrypted. */
  stateOf(upstream: string): KeyValue;
  close(): Promise<void>;
}
