import type { Database } from "bun:sqlite";
import { StartupError } from "../../errors/startup-error.ts";

/** Migrations by version: the first creates the tables, each later one upgrades from the version before. */
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
  // Separates paid tokens from reported ones. Before, cache hits were added to the daily sums as if they had been paid
  // for; for pruned rows this can't be corrected.
  `
  ALTER TABLE requests ADD COLUMN paid_input INTEGER;
  ALTER TABLE requests ADD COLUMN paid_cached_input INTEGER;
  ALTER TABLE requests ADD COLUMN paid_cache_write INTEGER;
  ALTER TABLE requests ADD COLUMN paid_output INTEGER;
  ALTER TABLE requests ADD COLUMN paid_reasoning INTEGER;
  UPDATE requests SET paid_input = 0, paid_cached_input = 0, paid_cache_write = 0, paid_output = 0,
    paid_reasoning = 0 WHERE outcome IS NOT NULL;
  UPDATE requests SET paid_input = coalesce(input, 0), paid_cached_input = coalesce(cached_input, 0),
    paid_cache_write = coalesce(cache_write, 0), paid_output = coalesce(output, 0),
    paid_reasoning = coalesce(reasoning, 0)
  WHERE outcome IS NOT NULL AND cache <> 'hit'
    AND (cache <> 'follow' OR cost IS NULL OR cost > 0 OR settled > 0);
  ALTER TABLE totals ADD COLUMN paid_input INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE totals ADD COLUMN paid_cached_input INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE totals ADD COLUMN paid_cache_write INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE totals ADD COLUMN paid_output INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE totals ADD COLUMN paid_reasoning INTEGER NOT NULL DEFAULT 0;
  UPDATE totals SET paid_input = input, paid_cached_input = cached_input, paid_cache_write = cache_write,
    paid_output = output, paid_reasoning = reasoning;
  UPDATE totals SET
    paid_input = paid_input - hits.input, paid_cached_input = paid_cached_input - hits.cached_input,
    paid_cache_write = paid_cache_write - hits.cache_write, paid_output = paid_output - hits.output,
    paid_reasoning = paid_reasoning - hits.reasoning
  FROM (SELECT coalesce(sum(input - paid_input), 0) AS input,
      coalesce(sum(cached_input - paid_cached_input), 0) AS cached_input,
      coalesce(sum(cache_write - paid_cache_write), 0) AS cache_write,
      coalesce(sum(output - paid_output), 0) AS output,
      coalesce(sum(reasoning - paid_reasoning), 0) AS reasoning FROM requests) AS hits
  WHERE name = 'booked';
  ALTER TABLE days ADD COLUMN saved INTEGER NOT NULL DEFAULT 0;
  UPDATE days SET saved = hits.input + hits.output, input = days.input - hits.input,
    cached_input = days.cached_input - hits.cached_input, cache_write = days.cache_write - hits.cache_write,
    output = days.output - hits.output, reasoning = days.reasoning - hits.reasoning
  FROM (SELECT at / 86400000 AS day, key, model, coalesce(upstream, '') AS upstream,
      coalesce(sum(input - paid_input), 0) AS input,
      coalesce(sum(cached_input - paid_cached_input), 0) AS cached_input,
      coalesce(sum(cache_write - paid_cache_write), 0) AS cache_write,
      coalesce(sum(output - paid_output), 0) AS output,
      coalesce(sum(reasoning - paid_reasoning), 0) AS reasoning
    FROM requests WHERE outcome IS NOT NULL GROUP BY 1, 2, 3, 4) AS hits
  WHERE days.day = hits.day AND days.key = hits.key AND days.model = hits.model AND days.upstream = hits.upstream
    AND hits.input + hits.output > 0;
  `,
  `ALTER TABLE requests ADD COLUMN queue_ms REAL`,
  // A version that every change of a key increments, so that a gateway detects changes without reading all keys.
  `
  CREATE TABLE keys_version (version INTEGER NOT NULL);
  INSERT INTO keys_version VALUES (1);
  CREATE TRIGGER key_added AFTER INSERT ON keys BEGIN UPDATE keys_version SET version = version + 1; END;
  CREATE TRIGGER key_changed AFTER UPDATE ON keys BEGIN UPDATE keys_version SET version = version + 1; END;
  CREATE TRIGGER key_deleted AFTER DELETE ON keys BEGIN UPDATE keys_version SET version = version + 1; END;
  `,
  `ALTER TABLE plugin_state ADD COLUMN expires INTEGER`,
];

/** Migrates the tables to the newest version in one transaction. Returns true if they didn't exist. */
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
