import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { CodeProcess, GatewayFolder, startMain } from "../support/gateway-process.ts";
import { HELLO, SCRIPTED_PLUGIN } from "../support/scripted-gateway.ts";
import { severalUpstreams } from "../support/several-gateway.ts";
import { until } from "../support/until.ts";

/**
 * A budget in USD that models without a price pass by is told at the start, by `check`, `explain` and `keys create`.
 * @module
 */
const UPSTREAMS = severalUpstreams({
  one: { answers: { dear: HELLO, "plain-x": HELLO } },
  two: { answers: { dear: HELLO } },
});
const ROUTES = [
  {
    model: "partly",
    targets: [
      { upstream: "one", model: "dear" },
      { upstream: "two", model: "dear" },
    ],
  },
  { model: "priced", targets: [{ upstream: "one", model: "dear" }] },
];
const KEYS = [
  { name: "dollars", key: "sk-dollars-0123456789", budget: { usd: 5, per: "day" } },
  { name: "tokens", key: "sk-tokens-0123456789", budget: { tokens: 5, per: "day" } },
  { name: "narrow", key: "sk-narrow-0123456789", models: ["priced"], budget: { usd: 5, per: "day" } },
];

function folder(): GatewayFolder {
  const yaml = `server: { port: 0 }
prices: ./prices.yaml
keys: ${JSON.stringify(KEYS)}
routes: ${JSON.stringify(ROUTES)}
${UPSTREAMS}`;
  const prices = 'version: "1"\nprices: [{ model: "one/dear", input: 1, output: 1 }]\n';
  return new GatewayFolder(yaml, { "scripted.ts": SCRIPTED_PLUGIN, "prices.yaml": prices });
}

async function command(home: GatewayFolder, ...words: readonly string[]) {
  await using ran = new CodeProcess("src/cli/main.ts", [...words, "--config", home.config]);
  return await ran.ended();
}

const warned = (text: string) =>
  text.match(/the key "\w+" has a budget in USD, but no price is known for [^:]*/g);

test("at the start, for all models that are known", async () => {
  using home = folder();
  await using gateway = startMain(home);
  await gateway.listening();
  await until(() => warned(gateway.stderr) !== null, "the warning");
  expect(warned(gateway.stderr)).toEqual([
    'the key "dollars" has a budget in USD, but no price is known for partly, dear, plain-x',
  ]);
});

test("by check, for the routes of the file", async () => {
  using home = folder();
  const { code, stdout, stderr } = await command(home, "check");
  expect([code, warned(stdout + stderr)]).toEqual([
    0,
    ['the key "dollars" has a budget in USD, but no price is known for partly'],
  ]);
  expect(existsSync(join(home.path, "data"))).toBe(false);
});

test("by check, for keys made at run time, without changing the database", async () => {
  using home = folder();
  const database = join(home.path, "data/modelyard.db");
  expect((await command(home, "keys", "create", "made", "--budget-usd", "5")).code).toBe(0);
  const bytes = readFileSync(database);
  const { code, stdout, stderr } = await command(home, "check");
  expect([code, warned(stdout + stderr)]).toEqual([
    0,
    [
      'the key "dollars" has a budget in USD, but no price is known for partly',
      'the key "made" has a budget in USD, but no price is known for partly',
    ],
  ]);
  expect(readFileSync(database).equals(bytes)).toBe(true);
});

test("by explain, for each target", async () => {
  using home = folder();
  const told = await command(home, "explain", "--model", "partly", "--key", "dollars");
  expect(told.stdout).toContain(
    "  no price is known for two/dear: what it answers costs the budget no USD\n",
  );
  expect(told.stdout).not.toContain("known for one/dear");
  expect((await command(home, "explain", "--model", "partly", "--key", "tokens")).stdout).not.toContain(
    "price",
  );
});

test("by keys create, for the key that it makes", async () => {
  using home = folder();
  const made = await command(home, "keys", "create", "made", "--budget-usd", "5");
  expect([made.code, warned(made.stderr)]).toEqual([
    0,
    ['the key "made" has a budget in USD, but no price is known for partly'],
  ]);
  expect(made.stdout).toMatch(/^\S+\n$/);
  const narrow = await command(home, "keys", "create", "few", "--budget-usd", "5", "--models", "priced");
  expect([narrow.code, warned(narrow.stderr)]).toEqual([0, null]);
});

test("by no keys create that makes a key all the same where an upstream can't be opened", async () => {
  using home = new GatewayFolder("server: { port: 0 }\nupstreams: { one: { plugin: ./fails.ts } }\n", {
    "fails.ts": `import { definePlugin, Type } from "modelyard/plugin";
export default definePlugin({
  apiVersion: 1, name: "fails", options: Type.Object({}),
  open() { throw new Error("no wire"); },
});`,
  });
  const { code, stdout, stderr } = await command(home, "keys", "create", "made", "--budget-usd", "5");
  expect([code, stdout]).toEqual([0, expect.stringMatching(/^\S+\n$/)]);
  expect(stderr).toContain("the prices of its models can't be checked: ");
});
