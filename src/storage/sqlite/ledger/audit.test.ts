import { describe, expect, test } from "bun:test";
import { admitted, broken, CLOSED, DAY_MS, LedgerFolder } from "../../../../test/support/ledger.ts";

/** Each way to falsify the books, and what the audit must say of it. */
const TAMPERINGS: readonly (readonly [what: string, sql: string, said: readonly string[]])[] = [
  [
    "a row deleted",
    "DELETE FROM requests WHERE number = 1",
    ["admitted: 3 in the rows, 4 counted", "ok: 1 in the rows, 2 counted", "daily sums"],
  ],
  [
    "an outcome changed",
    "UPDATE requests SET outcome = 'truncated' WHERE number = 1",
    ["ok: 1 in the rows, 2 counted", "truncated: 1 in the rows, 0 counted", "daily sums"],
  ],
  [
    "an outcome taken back",
    "UPDATE requests SET outcome = NULL WHERE number = 1",
    ["admitted 4 = ok 2 + client_abort 1", "ok: 1 in the rows, 2 counted", "daily sums"],
  ],
  [
    "what was settled changed",
    "UPDATE requests SET settled = settled + 1 WHERE number = 1",
    [
      "settled: 451 in the rows, 450 counted",
      "reserved = settled + released in each ended row (not in 1 rows)",
    ],
  ],
  [
    "what was settled and released changed together",
    "UPDATE requests SET settled = settled + 1, released = released - 1 WHERE number = 1",
    ["settled: 451 in the rows, 450 counted", "released: 1049 in the rows, 1050 counted"],
  ],
  ["a total changed", "UPDATE totals SET ok = ok + 1 WHERE name = 'booked'", ["admitted 4 = ok 3", "ok: 2"]],
  [
    "a cost changed",
    "UPDATE requests SET cost = cost + 0.01 WHERE number = 1",
    ["cost: 1.51 in the rows, 1.5 counted", "daily sums"],
  ],
  [
    "a cost taken away",
    "UPDATE requests SET cost = NULL WHERE number = 1",
    ["unpriced: 1 in the rows, 0 counted", "cost: 1 in the rows, 1.5 counted", "daily sums"],
  ],
  [
    "more cached input than input",
    "UPDATE requests SET cached_input = 101 WHERE number = 1",
    ["cached_input: 121 in the rows, 30 counted", "cached input is within the input (not in 1 rows)"],
  ],
  [
    "more input written to a cache than input",
    "UPDATE requests SET cache_write = 101 WHERE number = 1",
    ["cache_write: 101 in the rows, 0 counted", "input written to a cache is within the input (not in 1"],
  ],
  [
    "more reasoning than output",
    "UPDATE requests SET reasoning = 51 WHERE number = 1",
    ["reasoning: 61 in the rows, 15 counted", "reasoning is within the output (not in 1 rows)"],
  ],
  [
    "what was paid changed",
    "UPDATE requests SET paid_input = 0 WHERE number = 1",
    ["paid_input: 200 in the rows, 300 counted", "daily sums"],
  ],
  [
    "a hit that was paid for",
    "UPDATE requests SET cache = 'hit' WHERE number = 1",
    ["nothing is paid for what the cache answered (not in 1 rows)", "daily sums"],
  ],
  ["a day's sum changed", "UPDATE days SET input = input + 1", ["daily sums = sums of the rows"]],
  ["a day deleted", "DELETE FROM days", ["(0 lines, 0 differ, 1 missing)"]],
  [
    "a request booked as another process's, too",
    `CREATE TEMP TABLE again AS SELECT * FROM requests WHERE number = 1;
     UPDATE again SET process = process + 1;
     INSERT INTO requests SELECT * FROM again`,
    ["no request is booked twice (1)", "admitted: 5 in the rows, 4 counted"],
  ],
  [
    "a running request's process taken away",
    "DELETE FROM processes",
    ["no request is left open by a process that is gone (1)"],
  ],
];

/** Two requests that went well, one that the client left, and one that runs. */
function books() {
  const folder = new LedgerFolder();
  const { storage, ledger } = folder.open();
  ledger.open(admitted()).close(CLOSED);
  ledger.open(admitted()).close(CLOSED);
  ledger.open(admitted()).close({ ...CLOSED, outcome: "client_abort" });
  ledger.open(admitted());
  ledger.close();
  return {
    folder,
    storage,
    async [Symbol.asyncDispose]() {
      await storage.close();
      folder[Symbol.dispose]();
    },
  };
}

describe("the audit", () => {
  test("finds nothing in books that nobody changed", async () => {
    await using kept = books();
    expect(broken(kept.folder.audit())).toEqual([]);
    expect(kept.folder.audit()).toMatchObject({ rows: 4, running: 1, pruned: 0, dropped: 0 });
  });

  for (const [what, sql, said] of TAMPERINGS) {
    test(`finds ${what}`, async () => {
      await using kept = books();
      kept.folder.other((database) => database.run(sql));
      const claims = broken(kept.folder.audit()).join("\n");
      for (const part of said) expect(claims).toContain(part);
    });
  }

  test("lets a day be whose rows are deleted in part, and compares the days that are kept", async () => {
    using folder = new LedgerFolder();
    const { storage, ledger } = folder.open();
    const yesterday = Date.now() - DAY_MS;
    for (let each = 0; each < 700; each += 1) ledger.open({ ...admitted(), at: yesterday }).close(CLOSED);
    ledger.open(admitted()).close(CLOSED);
    ledger.close();
    expect(storage.ledger.prune(Date.now())).toBe(500);
    expect(folder.audit()).toMatchObject({ rows: 201, pruned: 500 });
    expect(broken(folder.audit())).toEqual([]);
    folder.other((database) =>
      database.run(`UPDATE days SET ok = 0 WHERE day = ${Math.floor(Date.now() / DAY_MS)}`),
    );
    expect(broken(folder.audit())).toEqual([expect.stringContaining("daily sums")]);
    await storage.close();
  });
});
