import { describe, expect, test } from "bun:test";
import { LedgerCounts } from "../../src/ledger/ledger-page.ts";
import type { LedgerBatch, LedgerRow } from "../../src/ledger/ledger-store.ts";
import type { Admitted, Closed } from "../../src/ledger/ledger.ts";
import { admitted, broken, CLOSED, DAY_MS } from "../support/ledger.ts";
import type { StorageKind } from "./kinds.ts";

/** Noon of a day in UTC. */
const NOON = Date.UTC(2026, 0, 15, 12);

/** A batch of requests that begin and end in it. */
function batch(
  number: number,
  rows: readonly (readonly [Partial<Admitted>, Partial<Closed>?])[],
): LedgerBatch {
  const counts = new LedgerCounts();
  const made = rows.map(([begun, ended], index): LedgerRow => {
    const row = { ...admitted(), at: NOON, ...begun };
    const closed = ended && { ...CLOSED, ...ended };
    counts.open(row);
    if (closed) counts.close(row, closed);
    return { number: number * 1_000 + index, admitted: row, closed, isWritten: false };
  });
  return { number, rows: made, counts, dropped: 0 };
}

/** What every ledger must do. */
export function ledgerContract(kind: StorageKind): void {
  describe(`the ledger in ${kind.name}`, () => {
    test("sums what has ended by key, model, upstream and day", async () => {
      await using opened = await kind.open();
      const { ledger } = opened.storage;
      ledger.begin();
      const rows = [
        [{ key: "bob", model: "n", at: NOON - DAY_MS }, {}],
        [{}, { upstream: "down" }],
        [{}, { outcome: "upstream_error", upstream: undefined, cost: null, usage: {}, paid: {} }],
        [{}],
      ] as const;
      expect(ledger.write(batch(1, rows))).toBe(true);
      const names = async (by: "key" | "model" | "upstream" | "day") =>
        (await ledger.usage({ by })).map(({ name, requests }) => [name, requests]);
      expect(await names("key")).toEqual([
        ["alice", 2],
        ["bob", 1],
      ]);
      expect(await names("model")).toEqual([
        ["m", 2],
        ["n", 1],
      ]);
      expect(await names("upstream")).toEqual([
        ["", 1],
        ["down", 1],
        ["up", 1],
      ]);
      expect(await names("day")).toEqual([
        ["2026-01-14", 1],
        ["2026-01-15", 2],
      ]);
      expect(await ledger.usage({ by: "key", key: "alice" })).toMatchObject([
        {
          ok: 1,
          upstream_error: 1,
          input: 100,
          cachedInput: 10,
          output: 50,
          reasoning: 5,
          cost: 0.5,
          unpriced: 1,
        },
      ]);
      expect(await ledger.usage({ by: "key", since: NOON })).toMatchObject([{ name: "alice" }]);
      expect(broken(await ledger.audit())).toEqual([]);
      expect(await ledger.audit()).toMatchObject({ rows: 4, running: 1, pruned: 0, dropped: 0 });
    });

    test("a batch that is handed over again is written once", async () => {
      await using opened = await kind.open();
      const { ledger } = opened.storage;
      ledger.begin();
      const first = batch(1, [[{}, {}]]);
      for (const each of [first, first, batch(2, [[{}, {}]]), first]) expect(ledger.write(each)).toBe(true);
      expect(await ledger.usage({ by: "key" })).toMatchObject([{ requests: 2 }]);
      expect(broken(await ledger.audit())).toEqual([]);
    });

    test("a request that was written while it ran is ended in a later batch", async () => {
      await using opened = await kind.open();
      const { ledger } = opened.storage;
      ledger.begin();
      const first = batch(1, [[{}]]);
      ledger.write(first);
      const counts = new LedgerCounts();
      const rows = first.rows.map((row) => ({ ...row, closed: CLOSED, isWritten: true }));
      for (const row of rows) counts.close(row.admitted, CLOSED);
      ledger.write({ number: 2, rows, counts, dropped: 3 });
      expect(await ledger.usage({ by: "key" })).toMatchObject([{ requests: 1, ok: 1 }]);
      expect(await ledger.audit()).toMatchObject({ rows: 1, running: 0, dropped: 3 });
      expect(broken(await ledger.audit())).toEqual([]);
    });

    test("says what a key has spent from a day on, and gives past admissions, oldest first", async () => {
      await using opened = await kind.open();
      const { ledger } = opened.storage;
      ledger.begin();
      const yesterday = NOON - DAY_MS;
      ledger.write(batch(1, [[{}, {}], [{ at: yesterday }, {}], [{ key: "bob", at: NOON + 1 }]]));
      expect(await ledger.spentSince("alice", NOON)).toEqual({ usd: 0.5, tokens: 150 });
      expect(await ledger.spentSince("alice", yesterday)).toEqual({ usd: 1, tokens: 300 });
      expect(await ledger.spentSince("nobody", 0)).toEqual({ usd: 0, tokens: 0 });
      expect(await Array.fromAsync(ledger.admissionsSince(yesterday + 1))).toEqual([
        { key: "alice", at: NOON, tokens: 150 },
        { key: "bob", at: NOON + 1, tokens: 500 },
      ]);
      expect(await Array.fromAsync(ledger.admissionsSince(0))).toHaveLength(3);
    });

    test("rows that are too old are deleted, and the sums of their days stay", async () => {
      await using opened = await kind.open();
      const { ledger } = opened.storage;
      ledger.begin();
      ledger.write(batch(1, [[{ at: NOON - DAY_MS }, {}], [{ at: NOON - DAY_MS }], [{}, {}]]));
      expect(ledger.prune(NOON)).toBe(1);
      expect(ledger.prune(NOON)).toBe(0);
      expect(await ledger.usage({ by: "key" })).toMatchObject([{ requests: 2 }]);
      expect(await ledger.audit()).toMatchObject({ rows: 2, running: 1, pruned: 1 });
      expect(broken(await ledger.audit())).toEqual([]);
    });

    test("several reads at once each get their own answer", async () => {
      await using opened = await kind.open();
      const { ledger } = opened.storage;
      ledger.begin();
      ledger.write(
        batch(1, [
          [{}, {}],
          [{ key: "bob" }, {}],
        ]),
      );
      const [alice, audit, bob] = await Promise.all([
        ledger.usage({ by: "key", key: "alice" }),
        ledger.audit(),
        ledger.usage({ by: "key", key: "bob" }),
      ]);
      expect([alice, bob]).toMatchObject([[{ name: "alice" }], [{ name: "bob" }]]);
      expect(audit.rows).toBe(2);
    });

    if (!kind.isShared) return;
    test("what a writer that is gone left open is closed as crashed", async () => {
      await using opened = await kind.open();
      opened.storage.ledger.begin();
      opened.storage.ledger.write(batch(1, [[{}, {}], [{}]]));
      const other = await opened.again();
      expect(other.ledger.begin()).toMatchObject({ crashed: 0 });
      await opened.storage.close();
      const third = await opened.again();
      expect(third.ledger.begin()).toMatchObject({ crashed: 1 });
      expect(await third.ledger.usage({ by: "key" })).toMatchObject([{ requests: 2, ok: 1, crashed: 1 }]);
      expect(broken(await third.ledger.audit())).toEqual([]);
    });
  });
}
