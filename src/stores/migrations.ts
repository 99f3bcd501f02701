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
