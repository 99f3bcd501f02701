import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { admitted, broken, CLOSED, DAY_MS, LedgerFolder, rememberingLog } from "../../test/support/ledger.ts";
import { until } from "../../test/support/until.ts";
import { openSqlite } from "../storage/sqlite/sqlite.ts";
import { SqliteLedger } from "../storage/sqlite/ledger/ledger.ts";
import type { GatewayLogger } from "../log.ts";
import type { WriterStart } from "./ledger-store.ts";
import { Ledger } from "./ledger.ts";

test("a request is one row, whether it ends before it is first written or after, and ends only once", async () => {
  using folder = new LedgerFolder();
  const { storage, ledger } = folder.open();
  const first = ledger.open(admitted());
  const second = ledger.open(admitted());
  first.close(CLOSED);
  await until(() => ledger.pending === 0, "the rows are written");
  expect(folder.audit()).toMatchObject({ rows: 2, running: 1 });
  second.close({ ...CLOSED, outcome: "client_abort", cost: null });
  second.close(CLOSED);
  ledger.close();
  expect(broken(folder.audit())).toEqual([]);
  expect(folder.usage({ by: "key" })).toMatchObject([
    {
      name: "alice",
      requests: 2,
      ok: 1,
      client_abort: 1,
      cost: 0.5,
      unpriced: 1,
      input: 200,
      cachedInput: 20,
    },
  ]);
  expect(await storage.ledger.spentSince("alice", Date.now())).toEqual({ usd: 0.5, tokens: 300 });
  await storage.close();
});

test("open rows are closed as crashed once their process is gone, and not before", async () => {
  using folder = new LedgerFolder();
  const crashing = folder.open();
  crashing.ledger.open(admitted());
  crashing.ledger.close();
  const other = folder.open();
  expect(folder.audit()).toMatchObject({ running: 1 });
  await crashing.storage.close();
  expect(broken(folder.audit())).toHaveLength(1);
  other.ledger.close();
  await other.storage.close();
  const next = folder.open();
  expect(folder.usage({ by: "model" })).toMatchObject([{ requests: 1, crashed: 1, unpriced: 1 }]);
  expect(broken(folder.audit())).toEqual([]);
  next.ledger.close();
  await next.storage.close();
});

test("while another connection has the database locked, rows wait and nobody is held up", async () => {
  using folder = new LedgerFolder();
  const { storage, ledger } = folder.open();
  const other = new Database(folder.file);
  other.run("BEGIN IMMEDIATE");
  ledger.open(admitted()).close(CLOSED);
  const before = performance.now();
  ledger.flush();
  expect(performance.now() - before).toBeLessThan(1_000);
  expect(ledger.pending).toBe(1);
  other.run("COMMIT");
  other.close();
  await until(() => ledger.pending === 0, "the row is written");
  expect(broken(folder.audit())).toEqual([]);
  ledger.close();
  await storage.close();
});

test("old rows go, their daily sums stay, and the books still balance", async () => {
  using folder = new LedgerFolder();
  const { storage, ledger } = folder.open();
  for (let each = 0; each < 700; each += 1) ledger.open(admitted()).close(CLOSED);
  ledger.close();
  while (storage.ledger.prune(Date.now() + 2 * DAY_MS) > 0);
  expect(folder.audit()).toMatchObject({ rows: 0, pruned: 700 });
  expect(broken(folder.audit())).toEqual([]);
  expect(folder.usage({ by: "upstream" })).toMatchObject([{ name: "up", requests: 700 }]);
  await storage.close();
});

test("on a full disk requests go on with a loud warning, and their rows are written once there is room", async () => {
  using folder = new LedgerFolder();
  const { log, told } = rememberingLog();
  const storage = openSqlite(folder.file, undefined);
  const disk = new Database(folder.file, { strict: true });
  const store = new SqliteLedger(disk, folder.file);
  const ledger = new Ledger(store, { log, retention: DAY_MS, interval: 10 });
  const running = ledger.open(admitted());
  ledger.flush();
  const { page_count: full } = disk.query("PRAGMA page_count").get() as { page_count: number };
  disk.run(`PRAGMA max_page_count = ${full}`);
  for (let each = 0; each < 1_000; each += 1) ledger.open(admitted()).close(CLOSED);
  running.close(CLOSED);
  ledger.flush();
  const { pending } = ledger;
  expect(pending).toBeGreaterThan(0);
  expect(told).toMatchObject([
    { level: "error", fields: { error: "database or disk is full", pending, dropped: 0 } },
  ]);
  disk.run("PRAGMA max_page_count = 1000000");
  await until(() => ledger.pending === 0, "the rows are written");
  expect(told.at(-1)).toMatchObject({ level: "info", message: "the usage ledger is written again" });
  expect(folder.usage({ by: "key" })).toMatchObject([{ requests: 1_001, ok: 1_001 }]);
  expect(broken(folder.audit())).toEqual([]);
  ledger.close();
  store.close();
  await storage.close();
});

/** A disk that takes nothing more: neither rows nor what is written ahead of them. */
class FullDisk extends SqliteLedger {
  override begin(): WriterStart {
    const begun = super.begin();
    const full = () => {
      throw new Error("the disk is full");
    };
    const ahead = { size: 0, append: full, turn: full, release: full, clear: full, close: () => undefined };
    return { ...begun, ahead };
  }
}

/** A thousand requests, of which the last is running, on a database that has no room for them. */
async function withoutRoom<Store extends SqliteLedger>(
  folder: LedgerFolder,
  log: GatewayLogger,
  open: (disk: Database) => Store,
) {
  await openSqlite(folder.file, undefined).close();
  const disk = new Database(folder.file, { strict: true });
  const store = open(disk);
  const ledger = new Ledger(store, { log, retention: DAY_MS });
  disk.run("PRAGMA max_page_count = 1");
  for (let each = 0; each < 999; each += 1) ledger.open(admitted()).close(CLOSED);
  ledger.open(admitted());
  return { store, ledger };
}

test("what a full database doesn't take when closing is stored by the next start", async () => {
  using folder = new LedgerFolder();
  const { log, told } = rememberingLog();
  const { store, ledger } = await withoutRoom(folder, log, (disk) => new SqliteLedger(disk, folder.file));
  ledger.close();
  expect(told.at(-1)).toMatchObject({
    level: "warn",
    message: "storing rows failed; they are in the write-ahead file, and the next start stores them",
    fields: { rows: 1_000 },
  });
  store.close();
  const next = folder.open({ log });
  expect(folder.usage({ by: "key" })).toMatchObject([{ requests: 1_000, ok: 999, crashed: 1 }]);
  expect(broken(folder.audit())).toEqual([]);
  expect(told.slice(-2)).toMatchObject([{ fields: { rows: 1_000 } }, { fields: { requests: 1 } }]);
  next.ledger.close();
  await next.storage.close();
});

test("what a full disk doesn't take when closing stands in the log, row by row, and is an error", async () => {
  using folder = new LedgerFolder();
  const { log, told } = rememberingLog();
  const { store, ledger } = await withoutRoom(folder, log, (disk) => new FullDisk(disk, folder.file));
  expect(ledger).toMatchObject({ isDegraded: true, failures: 1_999 });
  expect(() => ledger.close()).toThrow("1000 rows of the usage ledger couldn't be written");
  const lost = told.filter(({ message }) => message === "row of the usage ledger lost");
  expect(lost).toHaveLength(1_000);
  expect(JSON.parse(lost[0]?.fields["row"] as string)).toMatchObject({
    key: "alice",
    outcome: "ok",
    usage: { input: 100, output: 50 },
    paid: { input: 100, output: 50 },
    cost: 0.5,
  });
  store.close();
});

test("at most 50,000 rows wait; requests beyond them are answered and counted", async () => {
  using folder = new LedgerFolder();
  const { storage, ledger } = folder.open();
  const other = new Database(folder.file);
  other.run("BEGIN IMMEDIATE");
  for (let each = 0; each < 50_003; each += 1) ledger.open(admitted()).close(CLOSED);
  expect(ledger).toMatchObject({ pending: 50_000, dropped: 3 });
  other.close();
  await until(() => ledger.pending === 0, "the rows are written", 30_000);
  ledger.open(admitted()).close(CLOSED);
  ledger.close();
  expect(folder.audit()).toMatchObject({ rows: 50_001, dropped: 3 });
  expect(broken(folder.audit())).toEqual([]);
  await storage.close();
}, 40_000);

test("a trouble that lasts is told every ten seconds, another's writing only after one", async () => {
  using folder = new LedgerFolder();
  const { log, told } = rememberingLog();
  let now = 0;
  const { storage, ledger } = folder.open({ log, now: () => now });
  const other = new Database(folder.file);
  other.run("BEGIN IMMEDIATE");
  ledger.open(admitted()).close(CLOSED);
  const toldAfter = (ms: number) => {
    now += ms;
    ledger.flush();
    return told.length;
  };
  expect(toldAfter(0)).toBe(0);
  expect(toldAfter(999)).toBe(0);
  expect(toldAfter(1)).toBe(1);
  expect(told[0]?.fields).toMatchObject({ error: "another process keeps the database locked", pending: 1 });
  expect(toldAfter(9_999)).toBe(1);
  expect(toldAfter(1)).toBe(2);
  other.close();
  expect(toldAfter(0)).toBe(3);
  expect(told[2]).toMatchObject({ level: "info", fields: { after_ms: 11_000 } });
  ledger.close();
  await storage.close();
});

test("a trouble that comes and goes is told no more often, and its end only if it was told", async () => {
  using folder = new LedgerFolder();
  const { log, told } = rememberingLog();
  let now = 0;
  const storage = openSqlite(folder.file, undefined);
  const disk = new Database(folder.file, { strict: true });
  const store = new SqliteLedger(disk, folder.file);
  const ledger = new Ledger(store, { log, retention: DAY_MS, now: () => now });
  const failAndRecover = () => {
    disk.run("PRAGMA query_only = 1");
    ledger.open(admitted()).close(CLOSED);
    ledger.flush();
    expect(ledger.pending).toBe(1);
    disk.run("PRAGMA query_only = 0");
    ledger.flush();
    expect(ledger.pending).toBe(0);
    return told.map(({ level }) => level);
  };
  expect(failAndRecover()).toEqual(["error", "info"]);
  now = 9_999;
  expect(failAndRecover()).toEqual(["error", "info"]);
  now = 10_000;
  expect(failAndRecover()).toEqual(["error", "info", "error", "info"]);
  ledger.close();
  store.close();
  await storage.close();
});

test("a backlog is written in many turns, each of which leaves time for the requests", async () => {
  using folder = new LedgerFolder();
  const { storage, ledger } = folder.open();
  for (let each = 0; each < 40_000; each += 1) ledger.open(admitted()).close(CLOSED);
  ledger.flush();
  expect(ledger.pending).toBeGreaterThan(0);
  let turns = 0;
  await until(
    () => {
      turns += 1;
      return ledger.pending === 0;
    },
    "the rows are written",
    30_000,
  );
  // At 8 ms a turn even a machine that writes a row in 1 µs needs some.
  expect(turns).toBeGreaterThan(5);
  ledger.close();
  expect(folder.audit()).toMatchObject({ rows: 40_000 });
  await storage.close();
}, 40_000);
