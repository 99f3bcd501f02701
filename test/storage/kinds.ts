import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openStorage, openTemporaryStorage } from "../../src/storage/open-storage.ts";
import type { Storage } from "../../src/storage/storage.ts";
import { TestStorage } from "../../toolkit/conformance/harness/test-call.ts";

/** Storage, or some roles of it, that was opened empty for a test and is gone at its end. */
export interface EmptyStorage<Roles> extends AsyncDisposable {
  readonly storage: Roles;
  /** Opens it once more, as another process would: beside the first one, or after it. */
  again(): Promise<Roles>;
}

/** A kind of storage that the contracts of all roles are run on. */
export interface StorageKind<Roles = Storage> {
  readonly name: string;
  /** Whether other processes can open it, and a restart finds what it held. */
  readonly isShared: boolean;
  open(): Promise<EmptyStorage<Roles>>;
}

/** The role that plugins see. */
export type PluginStates = Pick<Storage, "stateOf" | "close">;

/** What gateway.yaml names. */
export const SQLITE_FILE: StorageKind = {
  name: "SQLite in a file",
  isShared: true,
  async open() {
    const folder = mkdtempSync(join(tmpdir(), "modelyard-storage-"));
    const settings = { database: "sqlite:./data/test.db", retention: 90 * 86_400_000 };
    const opened: Storage[] = [];
    const again = async () => {
      const storage = await openStorage(settings, folder);
      opened.push(storage);
      return storage;
    };
    return {
      storage: await again(),
      again,
      async [Symbol.asyncDispose]() {
        for (const storage of opened) await storage.close();
        rmSync(folder, { recursive: true, force: true });
      },
    };
  },
};

/** What a configuration is checked with. */
export const SQLITE_MEMORY: StorageKind = {
  name: "SQLite in memory",
  isShared: false,
  async open() {
    const storage = openTemporaryStorage();
    return {
      storage,
      again: notShared,
      [Symbol.asyncDispose]: () => storage.close(),
    };
  },
};

/** What a plugin's tests have. */
export const CONFORMANCE_KIT: StorageKind<PluginStates> = {
  name: "the conformance kit",
  isShared: false,
  async open() {
    const states = new Map<string, TestStorage>();
    const stateOf = (upstream: string) => states.getOrInsertComputed(upstream, () => new TestStorage());
    const storage = { stateOf, close: async () => undefined };
    return { storage, again: notShared, [Symbol.asyncDispose]: storage.close };
  },
};

async function notShared(): Promise<never> {
  throw new Error("nobody else can open it");
}
