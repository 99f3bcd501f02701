import { expect, test } from "bun:test";
import { CodeProcess, startMain } from "../support/gateway-process.ts";
import { folderWith } from "../support/process-settings.ts";
import { say, spent, stop } from "../support/scripted-gateway.ts";

/**
 * What an answer told is one thing, what its key is charged is another.
 * @module
 */
const KEY = "sk-paid-0123456789";
const YAML = `server: { port: 0 }
cache: { mode: all }
keys: [{ name: paid, key: ${KEY}, budget: { tokens: 10000, per: month } }]
`;

async function ask(url: string, text: string): Promise<number> {
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${KEY}` },
    body: JSON.stringify({ model: "used", messages: [{ role: "user", content: text }] }),
  });
  await response.text();
  return response.status;
}

async function command(config: string, ...words: readonly string[]): Promise<string> {
  await using ran = new CodeProcess("src/cli/main.ts", [...words, "--config", config]);
  return (await ran.ended()).stdout;
}

test("hits are charged to no budget, neither at once nor after a restart, and stand apart in the usage", async () => {
  using home = folderWith({ used: [say("Hello"), stop(), spent(800, 100)] }, YAML);
  await using first = startMain(home);
  const before = await first.listening();
  for (let nth = 0; nth < 12; nth++) expect(await ask(before, "the same")).toBe(200);
  first.signal("SIGTERM");
  await first.ended();

  await using second = startMain(home);
  const after = await second.listening();
  expect(await ask(after, "something new")).toBe(200);
  second.signal("SIGTERM");
  await second.ended();
  const [usage] = JSON.parse(await command(home.config, "usage", "--json")) as [object];
  expect(usage).toMatchObject({ requests: 13, hits: 11, saved: 11 * 900, input: 1_600, output: 200 });
  expect(await command(home.config, "audit")).toContain("The books balance.");
}, 60_000);
