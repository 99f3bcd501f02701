import { writeSync } from "node:fs";
import { join } from "node:path";
import { openSqlite } from "../../src/storage/sqlite/sqlite.ts";
import { Ledger } from "../../src/ledger/ledger.ts";
import { admitted, CLOSED, DAY_MS, SILENT } from "./ledger.ts";

/**
 * A process to be killed: writes rows into the ledger of the folder that is given, every third request staying
 * open, and tells of each event as soon as nobody can lose it: `open N` or `close N`.
 * @module
 */
const [folder = "."] = process.argv.slice(2);
const storage = openSqlite(join(folder, "test.db"), undefined);
const ledger = new Ledger(storage.ledger, { log: SILENT, retention: DAY_MS });

for (let number = 1; ; number += 1) {
  const entry = ledger.open({ ...admitted(), request: String(number) });
  tell("open", number);
  if (number % 3 !== 0) {
    entry.close(CLOSED);
    tell("close", number);
  }
  // Timers and whatever else is due get their turn.
  await Bun.sleep(1);
}

/** At once: nothing of it is lost when the process is killed. */
function tell(what: string, number: number): void {
  writeSync(1, `${what} ${number}\n`);
}
