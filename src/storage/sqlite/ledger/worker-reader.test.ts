import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { admitted, broken, CLOSED, LedgerFolder } from "../../../../test/support/ledger.ts";
import { rejection } from "../../../../test/support/rejection.ts";
import { StartupError } from "../../../errors/startup-error.ts";
import { WorkerLedgerReader } from "./worker-reader.ts";

test("a ledger is read beside its writer, and the event loop goes on meanwhile", async () => {
  using folder = new LedgerFolder();
  const { storage, ledger } = folder.open();
  for (let each = 0; each < 5_000; each += 1) ledger.open(admitted()).close(CLOSED);
  const running = ledger.open(admitted());
  while (ledger.pending > 0) ledger.flush();
  let turns = 0;
  const turn = () => {
    turns += 1;
    next = setImmediate(turn);
  };
  let next = setImmediate(turn);
  const report = await storage.ledger.audit();
  clearImmediate(next);
  // A read on this thread would have ended within the first one.
  expect(turns).toBeGreaterThan(1);
  expect(report).toMatchObject({ rows: 5_001, running: 1 });
  expect(broken(report)).toEqual([]);
  running.close(CLOSED);
  ledger.flush();
  expect(await storage.ledger.usage({ by: "key" })).toMatchObject([{ requests: 5_001 }]);
  ledger.close();
  await storage.close();
});

test("what can't be read is an error that names the file and says why, and later reads are tried again", async () => {
  using folder = new LedgerFolder();
  using reads = new WorkerLedgerReader(folder.file);
  expect((await rejection(reads.audit(), StartupError)).message).toContain(folder.file);
  writeFileSync(folder.file, "this is not a database, but it is long enough to be taken for one".repeat(20));
  expect((await rejection(reads.usage({ by: "key" }), StartupError)).message).toContain("is damaged");
  writeFileSync(folder.file, "");
  expect((await rejection(reads.audit(), StartupError)).message).toContain("has no usage ledger yet");
  const { storage, ledger } = folder.open();
  ledger.close();
  expect(await reads.usage({ by: "key" })).toEqual([]);
  await storage.close();
});

test("what is still being read when the storage is closed is rejected, and so is what comes later", async () => {
  using folder = new LedgerFolder();
  const { storage, ledger } = folder.open();
  const { ledger: reader } = storage;
  const reading = rejection(reader.audit(), Error);
  ledger.close();
  await storage.close();
  expect((await reading).message).toBe("the usage ledger can't be read: the storage is closed");
  expect((await rejection(reader.usage({ by: "key" }), Error)).message).toBe(
    "the usage ledger can't be read: the storage is closed",
  );
});
