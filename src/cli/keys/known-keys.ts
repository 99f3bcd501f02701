import type { LoadedConfig } from "../../../config/load.ts";
import type { Settings } from "../../../config/settings.ts";
import type { Caller, ListedKey } from "../../keys/keyring.ts";
import { callerOf } from "../../keys/keyring.ts";
import type { Storage } from "../../storage/storage.ts";
import { hasStorage, openStorage } from "../../storage/open-storage.ts";

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
export async function knownKeys(settings: Settings, config: ConfigFolder): Promise<readonly KnownKey[]> {
  const configured = settings.keys.map((key) => ({
    ...key,
    expires: key.expires,
    budget: key.budget,
    prefix: undefined,
    made: undefined,
  }));
  return [...configured, ...(await storedKeys(settings, config))].map(({ prefix, made, ...key }) => ({
    ...callerOf(key, settings.key_defaults.limits),
    prefix,
    made,
  }));
}

/** Asking for keys makes no database where there is none. */
async function storedKeys(settings: Settings, config: ConfigFolder): Promise<readonly ListedKey[]> {
  if (!hasDatabase(settings, config)) return [];
  return withStorage(settings, config, async ({ keys }) => (await keys.snapshot()).keys);
}

/** Whether gateway.yaml's database is there already. */
export function hasDatabase({ storage }: Settings, { directory }: ConfigFolder): boolean {
  return hasStorage(storage, directory);
}

/** Opens the database of gateway.yaml, made when it isn't there yet, for as long as `use` takes. */
export async function withStorage<Result>(
  { storage: settings }: Settings,
  { directory }: ConfigFolder,
  use: (storage: Storage) => Promise<Result>,
): Promise<Result> {
  const storage = await openStorage(settings, directory);
  try {
    return await use(storage);
  } finally {
    await storage.close();
  }
}
