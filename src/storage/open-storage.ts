import { existsSync } from "node:fs";
import { resolve } from "node:path";
import type { StorageSettings } from "../../config/settings.ts";
import type { ListedKey } from "../keys/keyring.ts";
import type { LedgerReader } from "../ledger/ledger-store.ts";
import type { Storage } from "./storage.ts";
import { readKeys } from "./sqlite/keys.ts";
import { WorkerLedgerReader } from "./sqlite/ledger/worker-reader.ts";
import { openSqlite, openSqliteInMemory } from "./sqlite/sqlite.ts";

/**
 * Opens the storage that `storage` in gateway.yaml configures. No other module knows its URL schemes and file paths.
 * Relative paths start from `directory`.
 * @module
 */

/** Opens the storage and creates it if it doesn't exist. Rejects with a StartupError, with nothing changed, if it can't be used. */
export async function openStorage(settings: StorageSettings, directory: string): Promise<Storage> {
  return openSqlite(databaseFile(settings, directory), settings.secret);
}

/** Opens storage in memory, for commands that must not write to disk. */
export function openTemporaryStorage(): Storage {
  return openSqliteInMemory();
}

/** Returns whether the storage exists. */
export function hasStorage(settings: StorageSettings, directory: string): boolean {
  return existsSync(databaseFile(settings, directory));
}

/** Opens the ledger read-only while a gateway may be writing to it. Returns undefined if the storage doesn't exist. */
export function openLedgerReader(
  settings: StorageSettings,
  directory: string,
): (LedgerReader & Disposable) | undefined {
  return hasStorage(settings, directory)
    ? new WorkerLedgerReader(databaseFile(settings, directory))
    : undefined;
}

/** Returns the keys made at run time, without changing the storage; none if it doesn't exist. */
export function readStoredKeys(settings: StorageSettings, directory: string): readonly ListedKey[] {
  return hasStorage(settings, directory) ? readKeys(databaseFile(settings, directory)) : [];
}

function databaseFile({ database }: StorageSettings, directory: string): string {
  return resolve(directory, database.slice("sqlite:".length));
}
