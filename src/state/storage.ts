import type { KeyValue } from "../contract/index.ts";
import type { KeyStore } from "./keyring.ts";

/** What survives a restart. */
export interface Storage {
  readonly keys: KeyStore;
  /** One upstream's own small state, encrypted. */
  stateOf(upstream: string): KeyValue;
  close(): void;
}
