import { existsSync } from "node:fs";
import { configPath, loadConfig } from "../../config/load.ts";
import { plan } from "../build-gateway.ts";
import type { LedgerReader } from "../ledger/ledger-store.ts";
import { databaseFile } from "../storage/sqlite/sqlite.ts";
import { readLedger } from "../storage/sqlite/ledger-reader.ts";

/**
 * Lets `read` look into the ledger of gateway.yaml's database, a running gateway's too, without changing it.
 * Undefined when there is none yet. Throws a StartupError when the database can't be read.
 */
export async function withLedger<Result>(
  argv: readonly string[],
  read: (ledger: LedgerReader) => Result,
): Promise<Result | undefined> {
  const config = await loadConfig(configPath(argv));
  const { settings } = await plan(config);
  const file = databaseFile(settings.storage, config.directory);
  if (!existsSync(file)) return undefined;
  using ledger = readLedger(file);
  return read(ledger);
}
