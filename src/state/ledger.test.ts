import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Database } from "bun:sqlite";
import { until } from "../../test/support/until.ts";
import { createLogger } from "../log.ts";
import { openSqlite } from "../stores/sqlite.ts";
import type { Admitted, Closed } from "./ledger.ts";
import { Ledger } from "./ledger.ts";

const settings = { database: "sqlite:./test.db", retention: 1 };
const DAY_MS = 86_400_000;
let folder = "";

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "modelyard-ledger-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const log = createLogger({ log: "json", level: "error", redact: () => "" });

function admitted(key = "alice"): Admitted {
  return {
    request: "same",
    key,
    model: "m",
    endpoint: "/v1/chat/completions",
    at: Date.now(),
    reserved: 500,
  };
}

const closed: Closed = {
  outcome: "ok",
  status: 200,
  upstream: "up",
  attempts: 1,
  usage: { input: 100, cachedInput: 10, output: 50, reasoning: 5 },
  usageSource: "upstream",
  cost: 0.5,
  cache: "miss",
  settled: 150,
  totalMs: 9,
};

function open() {
  const storage = openSqlite(settings, folder);
  const ledger = new Ledger(storage.ledger, { log, retention: DAY_MS, interval: 10 });
  return { storage, ledger };
}

function broken(report: ReturnType<ReturnType<typeof open>["storage"]["ledger"]["audit"]>): string[] {
  return report.checks.filter(({ holds }) => !holds).map(({ claim }) => claim);
}

test("a request is one row, whether it ends before it is first written or after, and ends only once", async () => {
  const { storage, ledger } = open();
  const first = ledger.open(admitted());
  const second = ledger.open(admitted());
  first.close(closed);
  await until(() => ledger.pending === 0, "the rows are written");
  expect(storage.ledger.audit()).toMatchObject({ rows: 2, running: 1 });
  second.close({ ...closed, outcome: "client_abort", cost: null });
  second.close(closed);
  ledger.close();
  expect(broken(storage.ledger.audit())).toEqual([]);
  expect(storage.ledger.usage({ by: "key" })).toMatchObject([
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
  expect(storage.ledger.spentSince("alice", Date.now())).toEqual({ usd: 0.5, tokens: 300 });
  storage.close();
});

test("open rows are closed as crashed once their process is gone, and not before", () => {
  const crashing = open();
  crashing.ledger.open(admitted());
  crashing.ledger.close();
  const other = open();
  expect(other.storage.ledger.audit()).toMatchObject({ running: 1 });
  crashing.storage.close();
  expect(broken(other.storage.ledger.audit())).toHaveLength(1);
  other.ledger.close();
  other.storage.close();
  const next = open();
  expect(next.storage.ledger.usage({ by: "model" })).toMatchObject([
    { requests: 1, crashed: 1, unpriced: 1 },
  ]);
  expect(broken(next.storage.ledger.audit())).toEqual([]);
  next.ledger.close();
  next.storage.close();
});

test("while another connection has the database locked, rows wait and nobody is held up", async () => {
  const { storage, ledger } = open();
  const other = new Database(join(folder, "test.db"));
  other.run("BEGIN IMMEDIATE");
  ledger.open(admitted()).close(closed);
  const before = performance.now();
  ledger.flush();
  expect(performance.now() - before).toBeLessThan(1_000);
  expect(ledger.pending).toBe(1);
  other.run("COMMIT");
  other.close();
  await until(() => ledger.pending === 0, "the row is written");
  expect(broken(storage.ledger.audit())).toEqual([]);
  ledger.close();
  storage.close();
});

test("old rows go, their daily sums stay, and the books still balance", () => {
  const { storage, ledger } = open();
  for (let each = 0; each < 700; each += 1) ledger.open(admitted()).close(closed);
  ledger.close();
  while (storage.ledger.prune(Date.now() + 2 * DAY_MS) > 0);
  expect(storage.ledger.audit()).toMatchObject({ rows: 0, pruned: 700 });
  expect(broken(storage.ledger.audit())).toEqual([]);
  expect(storage.ledger.usage({ by: "upstream" })).toMatchObject([{ name: "up", requests: 700 }]);
  storage.close();
});
