import { Database } from "bun:sqlite";
import { rmSync } from "node:fs";
import { makePrivate } from "../../private-file.ts";

/**
 * Shows that a writer of the ledger is alive, by a file lock that the operating system releases when the process dies.
 * Unlike process ids, locks aren't reused, and they are visible from other containers.
 */
export class ProcessLock implements Disposable {
  readonly #file: string;
  readonly #lock: Database;

  constructor(database: string, id: number) {
    this.#file = lockFile(database, id);
    makePrivate(this.#file);
    this.#lock = new Database(this.#file, { create: true });
    this.#lock.run("BEGIN EXCLUSIVE");
  }

  [Symbol.dispose](): void {
    this.#lock.close();
    rmSync(this.#file, { force: true });
  }
}

/** Returns whether the writer with this id is alive. `database` is the path of the ledger. */
export function isRunning(database: string, id: number): boolean {
  let lock: Database | undefined;
  try {
    lock = new Database(lockFile(database, id), { readonly: true });
    lock.query("SELECT 1 FROM sqlite_master").get();
    return false;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "SQLITE_BUSY";
  } finally {
    lock?.close();
  }
}

/** Removes the lock file of an ended writer. */
export function removeLock(database: string, id: number): void {
  const file = lockFile(database, id);
  // A killed process leaves the journal of its lock file.
  for (const left of [file, `${file}-journal`]) rmSync(left, { force: true });
}

function lockFile(database: string, id: number): string {
  return `${database}-gateway-${id}`;
}
