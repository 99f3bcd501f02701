import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadPrices } from "./prices.ts";

const directory = mkdtempSync(join(tmpdir(), "modelyard-prices-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function fileOf(name: string, text: string): string {
  const file = join(directory, name);
  writeFileSync(file, text);
  return file;
}

test("a user's own prices go before the shipped ones, and the version names both", async () => {
  const file = fileOf("own.yaml", 'version: mine\nprices:\n  - { model: "gpt-4o*", input: 1, output: 2 }\n');
  const { prices, problems } = await loadPrices(file);
  expect(problems).toEqual([]);
  expect(prices.entries[0]).toMatchObject({ model: "gpt-4o*", input: 1, version: "mine+2026-11-24" });
  expect(prices.entries.length).toBeGreaterThan(1);
});

test("a file that doesn't say its version has that of its text", async () => {
  const { prices } = await loadPrices(fileOf("unnamed.yaml", "prices: [{ model: m, input: 1 }]"));
  expect(prices.entries[0]?.version).toMatch(/^[0-9a-f]{12}\+2026-11-24$/);
});

test("every mistake is reported at once, with its line and key", async () => {
  const file = fileOf("wrong.yaml", "prices:\n  - { model: a, input: -1 }\n  - { model: b, inptu: 1 }\n");
  const { problems } = await loadPrices(file);
  expect(problems.map(({ line, path }) => `${line} ${path}`).toSorted()).toEqual([
    "2 prices[0].input",
    "3 prices[1].inptu",
    "3 prices[1].input",
  ]);
});

test("a file that isn't there, or is no map, is a mistake", async () => {
  expect((await loadPrices(join(directory, "none.yaml"))).problems[0]?.message).toBe("there is no such file");
  expect((await loadPrices(fileOf("empty.yaml", ""))).problems).not.toEqual([]);
});
