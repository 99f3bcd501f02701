import { existsSync } from "node:fs";
import type { LoadedConfig } from "../../../config/load.ts";
import type { Settings } from "../../../config/settings.ts";
import type { Caller, ListedKey } from "../../keys/keyring.ts";
import { callerOf } from "../../keys/keyring.ts";
import type { Storage } from "../../storage/storage.ts";
import { databaseFile, openSqlite } from "../../storage/sqlite/sqlite.ts";

/** Where relative paths start from. */
export type ConfigFolder = Pick<LoadedConfig, "directory">;

/** A key as it is told to people: all of it but itself. */
export interface KnownKey extends Caller {
  /** Its first characters; undefined for one of gateway.yaml. */
  readonly prefix: string | undefined;
  /** Milliseconds since 1970; undefined for one of gateway.yaml. */
  readonly made: number | undefined;
}

/** The keys of gateway.yaml and those made at run time, with the limits that hold for them. */
export function knownKeys(settings: Settings, config: ConfigFolder): readonly KnownKey[] {
  const configured = settings.keys.map((key) => ({
    ...key,
    expires: key.expires,
    budget: key.budget,
    prefix: undefined,
    made: undefined,
  }));
  return [...configured, ...storedKeys(settings, config)].map(({ prefix, made, ...key }) => ({
    ...callerOf(key, settings.key_defaults.limits),
    prefix,
    made,
  }));
}

/** Asking for keys makes no database where there is none. */
function storedKeys(settings: Settings, config: ConfigFolder): readonly ListedKey[] {
  if (!hasDatabase(settings, config)) return [];
  return withStorage(settings, config, ({ keys: store }) => store.list());
}

/** Whether gateway.yaml's database is there already. */
export function hasDatabase({ storage }: Settings, { directory }: ConfigFolder): boolean {
  return existsSync(databaseFile(storage, directory));
}

/** Opens the database of gateway.yaml, made when it isn't there yet, for as long as `use` takes. */
export function withStorage<Result>(
  { storage: settings }: Settings,
  { directory }: ConfigFolder,
  use: (storage: Storage) => Result,
): Result {
  const storage = openSqlite(settings, directory);
  try {
    return use(storage);
  } finally {
    storage.close();
  }
}
