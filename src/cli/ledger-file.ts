import { configPath, loadConfig } from "../../config/load.ts";
import { plan } from "../build-gateway.ts";
import type { LedgerReader } from "../ledger/ledger-store.ts";
import { openLedgerReader } from "../storage/open-storage.ts";

/**
 * Reads the ledger of gateway.yaml's database, also a running gateway's, without changing it. Returns undefined when
 * there is none yet. Throws a StartupError when the database can't be read.
 */
export async function withLedger<Result>(
  argv: readonly string[],
  read: (ledger: LedgerReader) => Promise<Result>,
): Promise<Result | undefined> {
  const config = await loadConfig(configPath(argv));
  const { settings } = await plan(config);
  using ledger = openLedgerReader(settings.storage, config.directory);
  return ledger && (await read(ledger));
}
