import { keySourceContract } from "./key-source.ts";
import { CONFORMANCE_KIT, SQLITE_FILE, SQLITE_MEMORY } from "./kinds.ts";
import { ledgerContract } from "./ledger.ts";
import { pluginStateContract } from "./plugin-state.ts";

/**
 * The contracts of all roles of storage, on what is there today. Another database is put to the same.
 * @module
 */
for (const kind of [SQLITE_FILE, SQLITE_MEMORY]) {
  keySourceContract(kind);
  pluginStateContract(kind);
  ledgerContract(kind);
}
// A plugin is tested on it, so it must do what the gateway does.
pluginStateContract(CONFORMANCE_KIT);
