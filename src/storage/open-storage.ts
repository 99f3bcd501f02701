import { existsSync } from "node:fs";
import { resolve } from "node:path";
import type { StorageSettings } from "../../config/settings.ts";
import type { LedgerReader } from "../ledger/ledger-store.ts";
import type { Storage } from "./storage.ts";
import { WorkerLedgerReader } from "./sqlite/ledger/worker-reader.ts";
import { openSqlite, openSqliteInMemory } from "./sqlite/sqlite.ts";

/**
 * Puts together the storage that gateway.yaml names: the one place that knows what its addresses mean. Paths start from
 * `directory`.
 * @module
 */

/** Opens the storage, made when it isn't there yet. Throws a StartupError when it can't be used; nothing in it is changed then. */
export async function openStorage(settings: StorageSettings, directory: string): Promise<Storage> {
  return openSqlite(databaseFile(settings, directory), settings.secret);
}

/** Opens storage that is gone with the process and touches no disk: for checking a configuration. */
export function openTemporaryStorage(): Storage {
  return openSqliteInMemory();
}

/** Whether the storage was made already. */
export function hasStorage(settings: StorageSettings, directory: string): boolean {
  return existsSync(databaseFile(settings, directory));
}

/** Reads the ledger, beside a gateway that may be writing it, and changes nothing; undefined when there is none yet. */
export function openLedgerReader(
  settings: StorageSettings,
  directory: string,
): (LedgerReader & Disposable) | undefined {
  return hasStorage(settings, directory)
    ? new WorkerLedgerReader(databaseFile(settings, directory))
    : undefined;
}

function databaseFile({ database }: StorageSettings, directory: string): string {
  return resolve(directory, database.slice("sqlite:".length));
}
