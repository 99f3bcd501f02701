import { Database } from "bun:sqlite";
import { rmSync } from "node:fs";
import { makePrivate } from "../../private-file.ts";

/**
 * Says that a writer of the ledger is alive: it holds the lock of a file beside the database, which the
 * operating system takes away when the process dies. Unlike a process id, that isn't used again for another,
 * and it is seen from other containers too.
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

/** Whether the writer with this id runs. `database` is the ledger's file. */
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

/** Removes what a writer that is gone has left. */
export function removeLock(database: string, id: number): void {
  const file = lockFile(database, id);
  // SQLite leaves a lock's journal where the process was killed.
  for (const left of [file, `${file}-journal`]) rmSync(left, { force: true });
}

function lockFile(database: string, id: number): string {
  return `${database}-gateway-${id}`;
}
