import type { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { admitted, broken, CLOSED, LedgerFolder } from "../../../test/support/ledger.ts";
import type { Closed } from "../../ledger/ledger.ts";

const PAID = ["paid_input", "paid_cached_input", "paid_cache_write", "paid_output", "paid_reasoning"];
const TOLD = ["input", "cached_input", "cache_write", "output", "reasoning"];

const UNPAID = { paid: {}, cost: 0, settled: 0 };
const ROWS: readonly Closed[] = [
  CLOSED,
  { ...CLOSED, ...UNPAID, cache: "hit" },
  { ...CLOSED, ...UNPAID, cache: "hit" },
  { ...CLOSED, ...UNPAID, cache: "follow" },
  // It paid, because the request that it had followed was left.
  { ...CLOSED, cache: "follow" },
  { ...CLOSED, ...UNPAID, outcome: "upstream_error", usage: {}, usageSource: undefined, cache: "bypass" },
];

/** Makes a database what it was before there were columns of what was paid: hits are in the days' sums. */
function setBack(database: Database): void {
  const told = TOLD.map((column) => `${column} = (SELECT coalesce(sum(${column}), 0) FROM requests)`).join(
    ", ",
  );
  database.run(`UPDATE days SET ${told}`);
  database.run("ALTER TABLE days DROP COLUMN saved");
  for (const table of ["requests", "totals"]) {
    for (const column of PAID) database.run(`ALTER TABLE ${table} DROP COLUMN ${column}`);
  }
  database.run("ALTER TABLE requests DROP COLUMN queue_ms");
  for (const each of ["added", "changed", "deleted"]) database.run(`DROP TRIGGER key_${each}`);
  database.run("DROP TABLE keys_version");
  database.run("ALTER TABLE plugin_state DROP COLUMN expires");
  database.run("PRAGMA user_version = 3");
}

test("a ledger of before learns what was paid: nothing for hits", async () => {
  using folder = new LedgerFolder();
  const first = folder.open();
  for (const closed of ROWS) first.ledger.open(admitted()).close(closed);
  const running = first.ledger.open(admitted());
  first.ledger.flush();
  const expected = folder.usage({ by: "key" });
  expect(expected).toMatchObject([{ requests: 6, hits: 4, input: 200, output: 100, saved: 450 }]);
  running.close(CLOSED);
  first.ledger.close();
  await first.storage.close();
  folder.other(setBack);

  const second = folder.open();
  second.ledger.close();
  expect(broken(folder.audit())).toEqual([]);
  expect(folder.usage({ by: "key" })).toMatchObject([
    { requests: 7, hits: 4, input: 300, cachedInput: 30, output: 150, reasoning: 15, saved: 450 },
  ]);
  expect(await second.storage.ledger.spentSince("alice", 0)).toEqual({ usd: 1.5, tokens: 450 });
  await second.storage.close();
});
