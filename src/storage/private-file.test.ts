import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { admitted } from "../../test/support/ledger.ts";
import { createLogger } from "../log.ts";
import { Ledger } from "../ledger/ledger.ts";
import { openSqlite } from "./sqlite/sqlite.ts";

const ROOT = process.getuid?.() === 0;
/** A user without rights, whom root can become. */
const NOBODY = 65_534;
let folder = "";
/** The database in it. */
let database = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "modelyard-private-"));
  mkdirSync(join(folder, "data"));
  database = join(folder, "data/test.db");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** The rights of all files in the folder, by their names. */
function rights(): Record<string, number> {
  const data = join(folder, "data");
  return Object.fromEntries(readdirSync(data).map((name) => [name, statSync(join(data, name)).mode & 0o777]));
}

/** A database whose ledger is written; the files that lie there meanwhile. */
async function rightsInUse(): Promise<Record<string, number>> {
  const storage = openSqlite(database, undefined);
  const log = createLogger({ log: "json", level: "error", redact: () => "" });
  const ledger = new Ledger(storage.ledger, { log, retention: 86_400_000 });
  ledger.open(admitted());
  ledger.flush();
  const found = rights();
  ledger.close();
  await storage.close();
  return found;
}

test("all that a gateway makes is for its owner's eyes only, also in a folder that was there", async () => {
  chmodSync(join(folder, "data"), 0o755);
  const found = await rightsInUse();
  const names = ["secret.key", "test.db", "test.db-wal", "test.db-shm", "test.db-gateway-1"];
  for (const name of names) expect(Object.keys(found)).toContain(name);
  expect(new Set(Object.values(found))).toEqual(new Set([0o600]));
});

test("a database that everybody could read can be read by its owner only from the next start on", async () => {
  await openSqlite(database, undefined).close();
  chmodSync(database, 0o644);
  expect((await rightsInUse())["test.db"]).toBe(0o600);
});

describe("a place that can't be written is named with its owner, the gateway's user and what to do", () => {
  /** Opens the database as a user who has no rights beyond those of the files. */
  function refusal(): string {
    const script = `
      const { openSqlite } = await import(${JSON.stringify(join(import.meta.dir, "sqlite/sqlite.ts"))});
      try { openSqlite(${JSON.stringify(database)}); }
      catch (error) { console.log(error.message); }`;
    const as = ROOT
      ? ["setpriv", "--reuid", `${NOBODY}`, "--regid", `${NOBODY}`, "--clear-groups", "--"]
      : [];
    const ran = Bun.spawnSync([...as, process.execPath, "-e", script], { env: { HOME: "/nonexistent" } });
    return ran.stdout.toString();
  }
  const owner = process.getuid?.() ?? 0;
  const me = ROOT ? NOBODY : owner;
  const mend = (path: string) => (ROOT ? `chown -R ${me} ${join(folder, "data")}` : `chmod u+w ${path}`);
  const said = (path: string, mode: string) =>
    `; ${path} belongs to uid ${owner} (mode ${mode}), and the gateway runs as uid ${me}: \`${mend(path)}\` lets it write there`;

  beforeEach(() => chmodSync(folder, 0o755));
  afterEach(() => chmodSync(join(folder, "data"), 0o755));

  test("a folder", () => {
    const data = join(folder, "data");
    chmodSync(data, 0o555);
    expect(refusal()).toContain(said(data, "0555"));
  });

  test("a file", async () => {
    await openSqlite(database, undefined).close();
    const [data, file] = [join(folder, "data"), database];
    chmodSync(file, 0o444);
    if (ROOT) {
      for (const path of [data, join(data, "secret.key")]) chownSync(path, NOBODY, NOBODY);
    }
    expect(refusal()).toContain(said(file, "0444"));
  });
});
