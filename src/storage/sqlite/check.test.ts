import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { readFileSync, truncateSync, writeFileSync } from "node:fs";
import { admitted, CLOSED, LedgerFolder } from "../../../test/support/ledger.ts";
import { StartupError } from "../../errors/startup-error.ts";
import { checkDatabase } from "./check.ts";
import { openLedgerFile } from "./ledger/file-reader.ts";
import { SqliteLedger } from "./ledger/ledger.ts";

const PAGE = 4_096;

/** Each way in which a file breaks, and what is said of it. */
const FAULTS: readonly (readonly [what: string, said: string, damage: (file: string) => void])[] = [
  ["a file that was cut off", "malformed", (file) => truncateSync(file, 10 * PAGE)],
  ["a file with hardly anything left", "is damaged", (file) => truncateSync(file, 50)],
  ["a file of other bytes", "not a database", (file) => writeFileSync(file, "no database. ".repeat(PAGE))],
  ["zeros in the middle", "Tree", (file) => overwrite(file, Buffer.alloc(2 * PAGE))],
  ["random bytes in the middle", "Tree", (file) => overwrite(file, noise(2 * PAGE))],
];

describe("a damaged database", () => {
  for (const [what, said, damage] of FAULTS) {
    test(`${what}: the start-up error names it, says what to do, and nothing is changed`, async () => {
      using folder = await filled();
      damage(folder.file);
      const bytes = readFileSync(folder.file);
      const message = refused(() => folder.open());
      expect(message).toContain(`the database ${folder.file} is damaged: `);
      expect(message).toContain(said);
      expect(message).toContain("Put a backup of it in its place, or move it away");
      expect(readFileSync(folder.file).equals(bytes)).toBe(true);
    });
  }

  test("what a killed gateway had not yet moved into the file stays where it is", async () => {
    using folder = await filled();
    const writing = folder.open();
    writing.ledger.open(admitted());
    writing.ledger.flush();
    using copy = new LedgerFolder();
    for (const end of ["", "-wal"]) writeFileSync(copy.file + end, readFileSync(folder.file + end));
    overwrite(copy.file, noise(2 * PAGE));
    const log = readFileSync(`${copy.file}-wal`);
    expect(log.length).toBeGreaterThan(0);
    expect(refused(() => copy.open())).toContain("is damaged");
    expect(readFileSync(`${copy.file}-wal`).equals(log)).toBe(true);
    writing.ledger.close();
    await writing.storage.close();
  });

  test("of a big one only the ledger's rows go unread", async () => {
    using folder = await filled();
    folder.other((database) => {
      database.run("CREATE TABLE big (bytes BLOB); INSERT INTO big VALUES (zeroblob(20000000))");
      database.run("PRAGMA wal_checkpoint(TRUNCATE)");
    });
    checkDatabase(folder.file);
    const root = folder.other(
      (database) =>
        database.query("SELECT rootpage FROM sqlite_schema WHERE name = 'keys'").get() as {
          rootpage: number;
        },
    );
    overwrite(folder.file, noise(PAGE), (root.rootpage - 1) * PAGE);
    expect(refused(() => folder.open())).toContain("is damaged");
  });

  test("usage and audit say so, too", async () => {
    using folder = await filled();
    truncateSync(folder.file, 10 * PAGE);
    expect(refused(() => openLedgerFile(folder.file))).toContain(`the database ${folder.file} is damaged`);
  });
});

test("a database that another process keeps locked is a start-up error, and opens when it is free", async () => {
  using folder = await filled();
  const other = new Database(folder.file);
  other.run("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; DELETE FROM keys");
  const message = refused(() => folder.open());
  expect(message).toContain(folder.file);
  expect(message).toContain("another process keeps it so");
  other.close();
  const { storage, ledger } = folder.open();
  expect(folder.usage({ by: "key" })).toMatchObject([{ requests: 300 }]);
  ledger.close();
  await storage.close();
});

test("a start without room on the disk is a start-up error that says to make room", async () => {
  using folder = await filled();
  const disk = new Database(folder.file, { strict: true });
  disk.run("CREATE TABLE filling (bytes BLOB)");
  const { page_count: full } = disk.query("PRAGMA page_count").get() as { page_count: number };
  disk.run(`PRAGMA max_page_count = ${full}`);
  // The last room within the pages that are there.
  disk.run(
    "DROP TABLE processes; CREATE TABLE processes (id INTEGER PRIMARY KEY, pid, started, batch, rest DEFAULT (zeroblob(100000)))",
  );
  const store = new SqliteLedger(disk, folder.file);
  expect(refused(() => store.begin())).toContain("make room on the disk");
  store.close();
});

/** A database with rows on many pages, all of them in the file itself. */
async function filled(): Promise<LedgerFolder> {
  const folder = new LedgerFolder();
  const { storage, ledger } = folder.open();
  for (let each = 0; each < 300; each += 1) ledger.open(admitted()).close(CLOSED);
  ledger.close();
  await storage.close();
  return folder;
}

function refused(open: () => unknown): string {
  try {
    open();
  } catch (error) {
    expect(error).toBeInstanceOf(StartupError);
    return error instanceof Error ? error.message : "";
  }
  throw new Error("it was opened");
}

/** Writes over the pages of a file from where the ledger's rows begin, or from another place. */
function overwrite(file: string, bytes: Buffer, at = rowsOf(file)): void {
  const whole = readFileSync(file);
  bytes.copy(whole, at);
  writeFileSync(file, whole);
}

function rowsOf(file: string): number {
  using database = new Database(file, { readonly: true });
  const found = database.query<{ rootpage: number }, []>(
    "SELECT rootpage FROM sqlite_schema WHERE name = 'requests'",
  );
  return ((found.get()?.rootpage ?? NaN) - 1) * PAGE;
}

/** The same at each run. */
function noise(length: number): Buffer {
  return Buffer.from(Array.from({ length }, (_, index) => (index * 167 + 13) % 251));
}
