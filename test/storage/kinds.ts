import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openStorage, openTemporaryStorage } from "../../src/storage/open-storage.ts";
import type { Storage } from "../../src/storage/storage.ts";

/** Storage that was opened empty for a test, and is gone at its end. */
export interface EmptyStorage extends AsyncDisposable {
  readonly storage: Storage;
  /** Opens it once more, as another process would: beside the first one, or after it. */
  again(): Promise<Storage>;
}

/** A kind of storage that the contracts of all roles are run on. */
export interface StorageKind {
  readonly name: string;
  /** Whether other processes can open it, and a restart finds what it held. */
  readonly isShared: boolean;
  open(): Promise<EmptyStorage>;
}

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
      again: () => Promise.reject(new Error("nobody else can open it")),
      [Symbol.asyncDispose]: () => storage.close(),
    };
  },
};
