import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hashKey, makeKey, NameTaken } from "../../keys/keyring.ts";
import { StartupError } from "../../errors/startup-error.ts";
import { openSqlite } from "./sqlite.ts";

const settings = { database: "sqlite:./data/test.db", retention: 90 * 86_400_000 };
let folder = "";

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "modelyard-store-"));
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

test("of two processes that make a key of one name, one is told that it is taken", () => {
  const first = openSqlite(settings, folder);
  const second = openSqlite(settings, folder);
  const key = makeKey({ name: "bob" }, first.keys);
  expect(() => makeKey({ name: "bob" }, second.keys)).toThrow(NameTaken);
  expect(second.keys.list().map(({ hash }) => hash)).toEqual([hashKey(key)]);
  second.close();
  first.close();
});

test("what a plugin stores survives a restart, under a version that tells of other writers", async () => {
  const first = openSqlite(settings, folder);
  const state = first.stateOf("up");
  expect(await state.set("k", { token: "canary-secret" }, { ifVersion: 0 })).toBe(1);
  expect(await state.set("k", 2, { ifVersion: 0 })).toBeUndefined();
  expect(await state.set("k", { token: "canary-secret" })).toBe(2);
  expect(await first.stateOf("other").get("k")).toBeUndefined();
  first.close();

  const second = openSqlite(settings, folder);
  expect(await second.stateOf("up").get("k")).toEqual({ value: { token: "canary-secret" }, version: 2 });
  expect(await second.stateOf("up").keys("k")).toEqual(["k"]);
  await second.stateOf("up").delete("k");
  expect(await second.stateOf("up").get("k")).toBeUndefined();
  second.close();
});

test("on disk it can't be read, and its secret only by its owner", async () => {
  const storage = openSqlite(settings, folder);
  await storage.stateOf("up").set("k", "canary-secret");
  storage.close();
  const file = await Bun.file(join(folder, "data/test.db")).text();
  expect(file).toContain("plugin_state");
  expect(file).not.toContain("canary-secret");
  expect(statSync(join(folder, "data/secret.key")).mode & 0o777).toBe(0o600);
});

test("another secret is a start-up error, and so is a lost one", () => {
  openSqlite(settings, folder).close();
  const other = { ...settings, secret: "another secret, long enough" };
  expect(refused(() => openSqlite(other, folder))).toContain("not the one");
  rmSync(join(folder, "data/secret.key"));
  expect(refused(() => openSqlite(settings, folder))).toContain("is missing");
  expect(existsSync(join(folder, "data/secret.key"))).toBe(false);
});

test("a short secret is refused before anything is written with it", () => {
  expect(refused(() => openSqlite({ ...settings, secret: "short" }, folder))).toContain("16 characters");
});

test("a file that is no database, and a folder that can't be made, are start-up errors that name them", () => {
  writeFileSync(
    join(folder, "text.db"),
    "this is not a database, but it is long enough to be taken for one".repeat(20),
  );
  expect(refused(() => openSqlite({ ...settings, database: "sqlite:./text.db" }, folder))).toContain(
    "text.db",
  );
  expect(
    refused(() => openSqlite({ ...settings, database: "sqlite:./text.db/below/x.db" }, folder)),
  ).toContain("can't be used");
});

test("a made key is found by its hash, and only its hash and prefix are kept", async () => {
  const storage = openSqlite(settings, folder);
  const key = makeKey({ name: "mine" }, storage.keys);
  expect(storage.keys.find(hashKey(key))).toMatchObject({ name: "mine", models: ["*"], expires: undefined });
  expect(storage.keys.find(hashKey(`${key}x`))).toBeUndefined();
  expect(storage.keys.list()).toMatchObject([{ name: "mine", prefix: key.slice(0, 10) }]);
  storage.close();
  expect(await Bun.file(join(folder, "data/test.db")).text()).not.toContain(key);
});
