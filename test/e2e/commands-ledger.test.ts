import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { readdirSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { CodeProcess, type Ended, type GatewayFolder, startMain } from "../support/gateway-process.ts";
import { ask, CONFIGURED, folderWith } from "../support/process-settings.ts";
import { HELLO } from "../support/scripted-gateway.ts";
import { until } from "../support/until.ts";

/**
 * `bun run modelyard usage` and `audit`, on the ledger of a gateway that runs, and of one that doesn't.
 * @module
 */
async function run(folder: GatewayFolder, ...words: readonly string[]): Promise<Ended> {
  await using command = new CodeProcess("src/cli/main.ts", [...words, "--config", folder.config]);
  return await command.ended();
}

function database(folder: GatewayFolder): string {
  return join(folder.path, "data/modelyard.db");
}

/** Asks the gateway three times, and waits until the ledger has it. */
async function asked(url: string, folder: GatewayFolder): Promise<void> {
  for (let each = 0; each < 3; each += 1) expect(await (await ask(url, "hello")).text()).toContain("[DONE]");
  using ledger = new Database(database(folder), { readonly: true });
  const ended = ledger.query<{ ended: number }, []>(
    "SELECT count(*) AS ended FROM requests WHERE outcome IS NOT NULL",
  );
  await until(() => ended.get()?.ended === 3, "three rows");
}

describe("the ledger of a running gateway", () => {
  test("usage sums it up by key, model, upstream and day, for the eye and as JSON", async () => {
    using folder = folderWith({ hello: HELLO });
    await using gateway = startMain(folder, CONFIGURED);
    await asked(await gateway.listening(), folder);

    const table = await run(folder, "usage");
    expect(table).toMatchObject({ code: 0, stderr: "" });
    expect(table.stdout).toMatch(/^key +requests +ok +aborted .*USD\nmaster +3 +3 +0 /);
    const today = new Date().toISOString().slice(0, 10);
    for (const [by, name] of [
      ["key", "master"],
      ["model", "hello"],
      ["upstream", "scripted"],
      ["day", today],
    ] as const) {
      const { code, stdout } = await run(folder, "usage", "--by", by, "--since", "1d", "--json");
      expect(code).toBe(0);
      expect(JSON.parse(stdout)).toMatchObject([{ name, requests: 3, ok: 3, crashed: 0, hits: 0 }]);
    }
    expect((await run(folder, "usage", "--since", "2100-01-01")).stdout).toBe(
      "No request has ended yet in that time.\n",
    );
  }, 60_000);

  test("audit finds the books in order; once somebody changes them, it ends with 1 and says what", async () => {
    using folder = folderWith({ hello: HELLO });
    await using gateway = startMain(folder, CONFIGURED);
    await asked(await gateway.listening(), folder);

    const good = await run(folder, "audit");
    expect(good).toMatchObject({ code: 0, stderr: "" });
    expect(good.stdout).not.toContain("BROKEN");
    expect(good.stdout).toContain(
      "3 rows, 0 pruned, 0 of running requests, 0 without a row\nThe books balance.",
    );

    using ledger = new Database(database(folder));
    ledger.run("PRAGMA busy_timeout = 5000; DELETE FROM requests WHERE number = 1");
    const changed = await run(folder, "audit");
    expect(changed.code).toBe(1);
    expect(changed.stdout).toContain("BROKEN admitted: 2 in the rows, 3 counted");
    expect(changed.stdout).toContain("The books do NOT balance");
  }, 60_000);
});

describe("without a gateway", () => {
  test("there is nothing to tell before its first start, and nothing is made", async () => {
    using folder = folderWith({ hello: HELLO });
    const before = readdirSync(folder.path);
    expect(await run(folder, "usage")).toMatchObject({
      code: 0,
      stdout: "No request has ended yet in that time.\n",
    });
    expect(await run(folder, "usage", "--json")).toMatchObject({ code: 0, stdout: "[]\n" });
    expect(await run(folder, "audit")).toMatchObject({
      code: 0,
      stdout: "There is no usage ledger yet: the gateway has not been started.\n",
    });
    expect(readdirSync(folder.path)).toEqual(before);
  }, 60_000);

  test("a damaged database ends with 1 and is named", async () => {
    using folder = folderWith({ hello: HELLO });
    await using gateway = startMain(folder, CONFIGURED);
    await gateway.listening();
    gateway.signal("SIGTERM");
    await gateway.ended();
    truncateSync(database(folder), 8_192);
    for (const command of ["usage", "audit"]) {
      const { code, stdout, stderr } = await run(folder, command);
      expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
      expect(stderr).toContain(`the database ${database(folder)} is damaged`);
    }
    await using again = startMain(folder, CONFIGURED);
    const { code, stderr } = await again.ended();
    expect(code).toBe(1);
    expect(stderr).toContain(`the database ${database(folder)} is damaged`);
  }, 60_000);

  const WRONG: readonly (readonly [words: readonly string[], said: string])[] = [
    [["usage", "--by", "hour"], "--by hour: it goes by key, model, day, upstream"],
    [["usage", "--since", "yesterday"], "--since yesterday: write days, as 7d, or a date, as 2026-01-31"],
    [["usage", "--since", "2026-02-30"], "--since 2026-02-30"],
    [["usage", "--sinze", "7d"], "--sinze"],
    [["usage", "alice"], "alice"],
    [["audit", "--json"], "--json"],
  ];
  for (const [words, said] of WRONG) {
    test(`${words.join(" ")}: ends with 2, says what is wrong and how it is used`, async () => {
      using folder = folderWith({ hello: HELLO });
      const { code, stdout, stderr } = await run(folder, ...words);
      expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
      expect(stderr).toContain(said);
      expect(stderr).toContain(`usage: bun run modelyard ${words[0]}`);
    });
  }
});
