import type { LoadedConfig } from "../../../config/load.ts";
import type { Settings } from "../../../config/settings.ts";
import type { Caller } from "../../keys/keyring.ts";
import { callerOf, hashKey } from "../../keys/keyring.ts";
import type { Storage } from "../../storage/storage.ts";
import { hasStorage, openStorage } from "../../storage/open-storage.ts";

/** The folder of the configuration file. */
export type ConfigFolder = Pick<LoadedConfig, "directory">;

/** A key without its secret. */
export interface KnownKey extends Caller {
  /** The first characters of the key; undefined for a key of gateway.yaml. */
  readonly prefix: string | undefined;
  /** Milliseconds since 1970; undefined for a key of gateway.yaml. */
  readonly made: number | undefined;
}

/** Returns the keys of gateway.yaml and those made at run time, with the limits that apply to them. */
export async function knownKeys(settings: Settings, config: ConfigFolder): Promise<readonly KnownKey[]> {
  const configured = settings.keys.map((key) => ({
    ...key,
    hash: key.key_sha256 ?? hashKey(key.key ?? ""),
    expires: key.expires,
    budget: key.budget,
    prefix: undefined,
    made: undefined,
  }));
  // A database is not made where there is none.
  const stored = hasDatabase(settings, config)
    ? await withStorage(settings, config, async ({ keys }) => (await keys.snapshot()).keys)
    : [];
  return [...configured, ...stored].map(({ prefix, made, ...key }) => ({
    ...callerOf(key, settings.key_defaults.limits),
    prefix,
    made,
  }));
}

/** Returns whether gateway.yaml's database exists. */
export function hasDatabase({ storage }: Settings, { directory }: ConfigFolder): boolean {
  return hasStorage(storage, directory);
}

/** Opens the database of gateway.yaml, which is made if it doesn't exist, while `use` runs. */
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
