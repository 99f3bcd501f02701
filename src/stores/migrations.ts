import type { Database } from "bun:sqlite";
import { StartupError } from "../state/startup-error.ts";

/** Each step makes the tables of one version from those of the version before. */
const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE settings (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
  CREATE TABLE keys (
    hash TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, prefix TEXT NOT NULL,
    models TEXT NOT NULL, expires INTEGER, made INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE TABLE plugin_state (
    upstream TEXT NOT NULL, key TEXT NOT NULL, version INTEGER NOT NULL, sealed BLOB NOT NULL,
    PRIMARY KEY (upstream, key)
  ) WITHOUT ROWID;
  `,
  `
  ALTER TABLE keys ADD COLUMN limits TEXT NOT NULL DEFAULT '{}';
  ALTER TABLE keys ADD COLUMN budget TEXT;
  `,
  `
  CREATE TABLE processes (
    id INTEGER PRIMARY KEY AUTOINCREMENT, pid INTEGER NOT NULL, started INTEGER NOT NULL,
    batch INTEGER NOT NULL DEFAULT 0
  );
  CREATE TABLE requests (
    process INTEGER NOT NULL, number INTEGER NOT NULL, request TEXT NOT NULL, key TEXT NOT NULL,
    model TEXT NOT NULL, endpoint TEXT NOT NULL, at INTEGER NOT NULL, reserved INTEGER NOT NULL,
    outcome TEXT, status INTEGER, code TEXT, upstream TEXT, upstream_model TEXT, attempts INTEGER,
    input INTEGER, cached_input INTEGER, cache_write INTEGER, output INTEGER, reasoning INTEGER,
    usage_source TEXT, cost REAL, price_version TEXT, cache TEXT,
    settled INTEGER, released INTEGER, first_event_ms REAL, total_ms REAL,
    PRIMARY KEY (process, number)
  ) WITHOUT ROWID;
  CREATE INDEX requests_by_time ON requests (at);
  CREATE INDEX requests_running ON requests (process) WHERE outcome IS NULL;
  CREATE TABLE days (
    day INTEGER NOT NULL, key TEXT NOT NULL, model TEXT NOT NULL, upstream TEXT NOT NULL,
    requests INTEGER NOT NULL, ok INTEGER NOT NULL, client_abort INTEGER NOT NULL,
    upstream_error INTEGER NOT NULL, truncated INTEGER NOT NULL, crashed INTEGER NOT NULL,
    hits INTEGER NOT NULL, input INTEGER NOT NULL, cached_input INTEGER NOT NULL,
    cache_write INTEGER NOT NULL, output INTEGER NOT NULL, reasoning INTEGER NOT NULL,
    cost REAL NOT NULL, unpriced INTEGER NOT NULL,
    PRIMARY KEY (day, key, model, upstream)
  ) WITHOUT ROWID;
  CREATE INDEX days_by_key ON days (key, day);
  CREATE TABLE totals (
    name TEXT PRIMARY KEY, until INTEGER NOT NULL DEFAULT 0, dropped INTEGER NOT NULL DEFAULT 0,
    admitted INTEGER NOT NULL DEFAULT 0, ok INTEGER NOT NULL DEFAULT 0,
    client_abort INTEGER NOT NULL DEFAULT 0, upstream_error INTEGER NOT NULL DEFAULT 0,
    truncated INTEGER NOT NULL DEFAULT 0, crashed INTEGER NOT NULL DEFAULT 0,
    reserved INTEGER NOT NULL DEFAULT 0, settled INTEGER NOT NULL DEFAULT 0,
    released INTEGER NOT NULL DEFAULT 0, input INTEGER NOT NULL DEFAULT 0,
    cached_input INTEGER NOT NULL DEFAULT 0, cache_write INTEGER NOT NULL DEFAULT 0,
    output INTEGER NOT NULL DEFAULT 0, reasoning INTEGER NOT NULL DEFAULT 0,
    cost REAL NOT NULL DEFAULT 0, unpriced INTEGER NOT NULL DEFAULT 0
  ) WITHOUT ROWID;
  INSERT INTO totals (name) VALUES ('booked'), ('pruned');
  `,
];

/** Brings the tables up to date, all or nothing. True if they were made just now. */
export function migrate(database: Database, file: string): boolean {
  return database
    .transaction(() => {
      const { user_version: version } = database.query("PRAGMA user_version").get() as {
        user_version: number;
      };
      if (version > MIGRATIONS.length) {
        throw new StartupError(
          `the database ${file} was written by a newer Modelyard; use that, or another file`,
        );
      }
      for (const step of MIGRATIONS.slice(version)) database.run(step);
      database.run(`PRAGMA user_version = ${MIGRATIONS.length}`);
      return version === 0;
    })
    .immediate();
}
