import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { CodeProcess } from "../support/gateway-process.ts";
import { broken, LedgerFolder } from "../support/ledger.ts";
import { until } from "../support/until.ts";

test("kill -9 loses nothing that was told, and open rows are closed as crashed", async () => {
  using folder = new LedgerFolder();
  await using writer = new CodeProcess("test/support/ledger-writer.ts", [folder.path]);
  await until(() => eventsOf(writer.stdout).length > 700, "rows of more than one batch", 30_000);
  writer.signal("SIGKILL");
  await writer.ended();
  const events = eventsOf(writer.stdout);
  const stored = rowsIn(folder.file).size;

  const { storage, ledger } = folder.open();
  const kept = rowsIn(folder.file);
  console.log(
    `kill -9 after ${events.length} events: ${stored} rows were stored, ${kept.size} are there now`,
  );
  const lost = events.filter(({ what, number }) => kept.get(number)?.[what] !== true);
  expect(lost).toEqual([]);
  const crashed = [...kept.values()].filter(({ close }) => !close).length;
  const report = folder.audit();
  expect(broken(report)).toEqual([]);
  expect(report).toMatchObject({ rows: kept.size, running: 0 });
  expect(crashed).toBeGreaterThan(0);
  expect(folder.usage({ by: "key" })).toMatchObject([
    { requests: kept.size, crashed, ok: kept.size - crashed },
  ]);
  ledger.close();
  await storage.close();
  // Nothing of it is left to be read again.
  expect(readdirSync(folder.path).filter((name) => name.includes("-ahead-"))).toEqual([]);
}, 60_000);

interface Event {
  readonly what: "open" | "close";
  readonly number: number;
}

function eventsOf(text: string): Event[] {
  return [...text.matchAll(/(open|close) (\d+)\n/g)].map(([, what, number]) => ({
    what: what === "open" ? "open" : "close",
    number: Number(number),
  }));
}

/** What the database holds of each request. */
function rowsIn(file: string): Map<number, { readonly open: true; readonly close: boolean }> {
  using database = new Database(file, { readonly: true });
  const rows = database
    .query<{ request: string; closed: number }, []>(
      "SELECT request, coalesce(outcome, 'crashed') <> 'crashed' AS closed FROM requests",
    )
    .all();
  return new Map(rows.map(({ request, closed }) => [Number(request), { open: true, close: closed === 1 }]));
}
