import type { KeyValue } from "../contract/index.ts";
import type { KeyStore } from "../keys/keyring.ts";
import type { LedgerStore } from "../ledger/ledger-store.ts";

/** What survives a restart. */
export interface Storage {
  readonly keys: KeyStore;
  readonly ledger: LedgerStore;
  /** One upstream's own small state, encrypted. */
  stateOf(upstream: string): KeyValue;
  close(): void;
}
