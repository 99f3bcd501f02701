import { Database } from "bun:sqlite";
import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeKey } from "../../keys/keyring.ts";
import { StartupError } from "../../errors/startup-error.ts";
import { openSqlite } from "./sqlite.ts";

let folder = "";
let file = "";

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "modelyard-store-"));
  file = join(folder, "data/test.db");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function refused(open: () => unknown): string {
  try {
    open();
  } catch (error) {
    expect(error).toBeInstanceOf(StartupError);
    return error instanceof Error ? error.message : "";
  }
  throw new Error("it was opened");
}

test("on disk it can't be read, and its secret only by its owner", async () => {
  const storage = openSqlite(file, undefined);
  await storage.stateOf("up").set("k", "canary-secret");
  await storage.close();
  const text = await Bun.file(file).text();
  expect(text).toContain("plugin_state");
  expect(text).not.toContain("canary-secret");
  expect(statSync(join(folder, "data/secret.key")).mode & 0o777).toBe(0o600);
});

test("another secret is a start-up error, and so is a lost one", async () => {
  await openSqlite(file, undefined).close();
  expect(refused(() => openSqlite(file, "another secret, long enough"))).toContain("not the one");
  rmSync(join(folder, "data/secret.key"));
  expect(refused(() => openSqlite(file, undefined))).toContain("is missing");
  expect(existsSync(join(folder, "data/secret.key"))).toBe(false);
});

test("a short secret is refused before anything is written with it", () => {
  expect(refused(() => openSqlite(file, "short"))).toContain("16 characters");
});

test("a file that is no database, and a folder that can't be made, are start-up errors that name them", () => {
  const text = join(folder, "text.db");
  writeFileSync(text, "this is not a database, but it is long enough to be taken for one".repeat(20));
  expect(refused(() => openSqlite(text, undefined))).toContain("text.db");
  expect(refused(() => openSqlite(join(text, "below/x.db"), undefined))).toContain("can't be used");
});

test("of a made key nothing is on disk that it could be used by", async () => {
  const storage = openSqlite(file, undefined);
  const key = await makeKey({ name: "mine" }, storage.keys);
  await storage.close();
  expect(await Bun.file(file).text()).not.toContain(key);
});

test("what expired more than a day ago leaves the database", async () => {
  const storage = openSqlite(file, undefined);
  const state = storage.stateOf("up");
  for (const key of ["kept", "old", "recent"]) await state.set(key, 1, { expiresIn: 60_000 });
  await state.set("lasting", 1);
  using other = new Database(file);
  for (const [key, ago] of [
    ["old", 86_400_001],
    ["recent", 86_300_000],
  ] as const)
    other.query("UPDATE plugin_state SET expires = ? WHERE key = ?").run(Date.now() - ago, key);
  await storage.stateOf("another").set("claim", 1, { expiresIn: 60_000 });
  const left = other.query<{ key: string }, []>("SELECT key FROM plugin_state ORDER BY key").all();
  expect(left.map(({ key }) => key)).toEqual(["claim", "kept", "lasting", "recent"]);
  await storage.close();
});
