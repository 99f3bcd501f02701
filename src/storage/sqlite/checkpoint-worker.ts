/**
 * Moves what was written from the log of a database into its file: that waits for the disk, for which the main
 * thread has no time.
 * @module
 */
import { Database } from "bun:sqlite";

declare const self: Worker;

self.onmessage = ({ data: file }: MessageEvent<string>) => {
  try {
    // Closed each time, so that the main thread's connection is the last one and tidies up.
    using database = new Database(file, { create: false, readwrite: true });
    database.run("PRAGMA synchronous = NORMAL");
    database.run("PRAGMA wal_checkpoint(PASSIVE)");
  } catch {
    // It stays in the log, where nothing is lost; the next time will do.
  }
  self.postMessage("done");
};
