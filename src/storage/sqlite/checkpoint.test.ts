import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { existsSync, statSync } from "node:fs";
import { admitted, broken, CLOSED, LedgerFolder } from "../../../test/support/ledger.ts";
import { until } from "../../../test/support/until.ts";
import { Checkpoints, prepareWriting } from "./checkpoint.ts";

test("the log is moved into the file while the gateway runs, and is gone once it is closed", async () => {
  using folder = new LedgerFolder();
  const { storage, ledger } = folder.open();
  const before = statSync(folder.file).size;
  for (let each = 0; each < 8_000; each += 1) ledger.open(admitted()).close(CLOSED);
  await until(() => statSync(folder.file).size > before + 1_000_000, "rows in the file itself", 10_000);
  ledger.close();
  await storage.close();
  await until(() => !existsSync(`${folder.file}-wal`), "the log is gone", 10_000);
  const again = folder.open();
  expect(folder.audit()).toMatchObject({ rows: 8_000 });
  expect(broken(folder.audit())).toEqual([]);
  again.ledger.close();
  await again.storage.close();
}, 30_000);

test("a checkpoint that fails is tried again with later batches", async () => {
  using folder = new LedgerFolder();
  const { file } = folder;
  using checkpoints = new Checkpoints(file);
  const batches = (rows: number) => checkpoints.wrote(rows);
  batches(10_000);
  using database = new Database(file);
  database.run("PRAGMA journal_mode = WAL");
  prepareWriting(database);
  database.run("CREATE TABLE filling (bytes BLOB); INSERT INTO filling VALUES (zeroblob(1000000))");
  await until(() => {
    batches(10_000);
    return statSync(file).size > 1_000_000;
  }, "what was written is in the file");
});
