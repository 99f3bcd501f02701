import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeKey } from "../../keys/keyring.ts";
import { readKeys } from "./keys.ts";
import { openSqlite } from "./sqlite.ts";

test("keys are read of a file that a gateway has open, and none of one that an older version made", async () => {
  const folder = mkdtempSync(join(tmpdir(), "modelyard-keys-"));
  const file = join(folder, "test.db");
  const storage = openSqlite(file, "a-secret-of-the-storage");
  const budget = { usd: 5, per: "day" } as const;
  await makeKey({ name: "made", budget }, storage.keys);
  expect(readKeys(file)).toMatchObject([{ name: "made", models: ["*"], budget }]);
  await storage.close();
  using database = new Database(file);
  database.run("ALTER TABLE keys DROP COLUMN budget");
  expect(readKeys(file)).toEqual([]);
  rmSync(folder, { recursive: true });
});

test("a file that is no database is told as such", () => {
  expect(() => readKeys(import.meta.path)).toThrow("keys.test.ts");
});
