import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { join } from "node:path";
import { makeKey } from "../../src/keys/keyring.ts";
import { openSqlite } from "../../src/storage/sqlite/sqlite.ts";
import { startGateway } from "../support/gateway.ts";
import { until } from "../support/until.ts";

/**
 * A database that can't be read: nobody is told that a key is wrong which may be good.
 * @module
 */
const YAML = "telemetry: { level: error }\nupstreams: { echo: { plugin: echo } }\n";

test("while the database is broken, the keys that are known are good, and others are told to come back", async () => {
  await using running = await startGateway(YAML);
  const asked = (key: string) => {
    const headers = { authorization: `Bearer ${key}` };
    return running.chat({ model: "echo", messages: [{ role: "user", content: "hello" }] }, { headers });
  };
  expect((await asked("sk-unknown")).status).toBe(401);
  const file = join(running.directory, "data/modelyard.db");
  const storage = openSqlite(file, undefined);
  const made = await makeKey({ name: "made" }, storage.keys);
  await storage.close();
  expect((await asked(made)).status).toBe(200);
  {
    // Readers of a log of writes wait for nobody's lock, so a lock wouldn't do.
    using other = new Database(file);
    other.run("ALTER TABLE keys_version RENAME TO lost");
    const refused = await asked("sk-unknown");
    expect(refused.status).toBe(503);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
    expect(await refused.json()).toMatchObject({ error: { code: "overloaded" } });
    expect((await asked(running.key)).status).toBe(200);
    expect((await asked(made)).status).toBe(200);
    other.run("ALTER TABLE lost RENAME TO keys_version");
  }
  await until(async () => (await asked("sk-unknown")).status === 401, "the keys to be readable again");
}, 30_000);
