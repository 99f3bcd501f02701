import type { KeyValue } from "../contract/index.ts";
import type { KeySource } from "../keys/keyring.ts";
import type { LedgerStore } from "../ledger/ledger-store.ts";

/** Everything that survives a restart, by role. */
export interface Storage {
  readonly keys: KeySource;
  readonly ledger: LedgerStore;
  /** Returns the encrypted key-value store of one upstream, which its plugin gets as `host.storage`. */
  stateOf(upstream: string): KeyValue;
  close(): Promise<void>;
}
