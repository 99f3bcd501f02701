import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { CodeProcess } from "../support/gateway-process.ts";
import { broken, LedgerFolder } from "../support/ledger.ts";
import { until } from "../support/until.ts";

/** How long what happened may wait to be written. */
const INTERVAL_MS = 250;
/** For the writing itself, and for what of a millisecond a clock leaves out. */
const WRITING_MS = 20;

test("kill -9 loses no more than the last batch interval, and open rows are closed as crashed", async () => {
  using folder = new LedgerFolder();
  await using writer = new CodeProcess("test/support/ledger-writer.ts", [folder.path]);
  await until(() => eventsOf(writer.stdout).length > 700, "rows of more than one batch", 30_000);
  writer.signal("SIGKILL");
  await writer.ended();
  const events = eventsOf(writer.stdout);
  const kept = keptIn(folder.file);

  const lost = events.filter(({ what, number }) => kept.get(number)?.[what] !== true);
  const death = events.at(-1)?.at ?? 0;
  const oldest = Math.max(0, ...lost.map(({ at }) => death - at));
  console.log(
    `kill -9 after ${events.length} events: ${lost.length} lost, the oldest ${oldest} ms before the end ` +
      `(bound: ${INTERVAL_MS} ms and ${longestGap(events)} ms in which the process wasn't running)`,
  );
  expect(kept.size).toBeGreaterThan(0);
  expect(oldest).toBeLessThanOrEqual(INTERVAL_MS + WRITING_MS + longestGap(events));
  // What is lost is the end of what happened, without holes.
  expect(lost).toEqual(events.slice(events.length - lost.length));

  const { storage, ledger } = folder.open();
  const crashed = [...kept.values()].filter(({ close }) => !close).length;
  const report = storage.ledger.audit();
  expect(broken(report)).toEqual([]);
  expect(report).toMatchObject({ rows: kept.size, running: 0 });
  expect(crashed).toBeGreaterThan(0);
  expect(storage.ledger.usage({ by: "key" })).toMatchObject([
    { requests: kept.size, crashed, ok: kept.size - crashed },
  ]);
  ledger.close();
  storage.close();
}, 60_000);

interface Event {
  readonly what: "open" | "close";
  readonly number: number;
  readonly at: number;
}

function eventsOf(text: string): Event[] {
  return [...text.matchAll(/(open|close) (\d+) (\d+)\n/g)].map(([, what, number, at]) => ({
    what: what === "open" ? "open" : "close",
    number: Number(number),
    at: Number(at),
  }));
}

/** The longest time in which nothing happened, though something should have each millisecond. */
function longestGap(events: readonly Event[]): number {
  return Math.max(0, ...events.slice(1).map(({ at }, index) => at - (events[index]?.at ?? at)));
}

/** What the database holds of each request. */
function keptIn(file: string): Map<number, { readonly open: true; readonly close: boolean }> {
  using database = new Database(file, { readonly: true });
  const rows = database
    .query<{ number: number; closed: number }, []>(
      "SELECT number, outcome IS NOT NULL AS closed FROM requests",
    )
    .all();
  return new Map(rows.map(({ number, closed }) => [number, { open: true, close: closed === 1 }]));
}
