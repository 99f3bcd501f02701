/**
 * Runs WAL checkpoints of a database. They wait for the disk, which would block the main thread.
 * @module
 */
import { Database } from "bun:sqlite";

declare const self: Worker;

self.onmessage = ({ data: file }: MessageEvent<string>) => {
  try {
    // The connection is closed each time: SQLite removes the WAL when the last connection, the main thread's, closes.
    using database = new Database(file, { create: false, readwrite: true });
    database.run("PRAGMA synchronous = NORMAL");
    database.run("PRAGMA wal_checkpoint(PASSIVE)");
  } catch {
    // The pages stay in the WAL until the next checkpoint.
  }
  self.postMessage("done");
};
