import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { join } from "node:path";
import { startMain } from "../support/gateway-process.ts";
import { ask, folderFor, rowsOf, startRecordingStub, TOKENS } from "../support/kill-rounds.ts";
import { until } from "../support/until.ts";

/**
 * While the database takes nothing, requests are answered, `/health` says so, and a kill loses nothing.
 * @module
 */
const healthOf = async (url: string) => {
  const response = await fetch(`${url}/health`);
  return { http: response.status, ...((await response.json()) as object) };
};

test("a database that can't be written holds up no answer, is told by /health, and survives a kill", async () => {
  using stub = startRecordingStub();
  using folder = folderFor(stub, [{ name: "locked" }]);
  await using first = startMain(folder);
  const url = await first.listening();
  expect(await healthOf(url)).toMatchObject({ http: 200, status: "ok" });
  const other = new Database(join(folder.path, "ledger.db"));
  // The gateway itself may be writing just now.
  other.run("PRAGMA busy_timeout = 5000");
  other.run("BEGIN IMMEDIATE");
  for (let nth = 0; nth < 20; nth++) {
    expect(await ask(url, { key: "locked", id: `l-${nth}`, stream: nth % 2 === 0 })).toBe(200);
  }
  const isDegraded = async () => {
    const health = await healthOf(url);
    expect(health).toMatchObject({ http: 200 });
    return Bun.deepEquals(
      { ...health, version: "" },
      { http: 200, status: "degraded", degraded: ["ledger"], version: "" },
    );
  };
  await until(isDegraded, "the trouble to be told");
  expect((await fetch(`${url}/health/ready`)).status).toBe(200);
  expect(rowsOf(folder)).toEqual([]);
  first.signal("SIGKILL");
  await first.ended();
  other.close();

  await using second = startMain(folder);
  expect(await healthOf(await second.listening())).toMatchObject({ http: 200, status: "ok" });
  const rows = rowsOf(folder);
  expect(rows).toHaveLength(20);
  expect(rows.filter(({ outcome, paid }) => outcome !== "ok" || paid !== TOKENS)).toEqual([]);
}, 30_000);
