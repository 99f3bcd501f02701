import { expect, test } from "bun:test";
import { startMain } from "../support/gateway-process.ts";
import { ask, folderWith, SERVER } from "../support/process-settings.ts";
import { say, spent, stop } from "../support/scripted-gateway.ts";
import { until } from "../support/until.ts";

/**
 * A budget that one answer exceeds is told as spent, and not as nearly spent.
 * @module
 */
const KEY = "sk-dear-0123456789";

test.each([
  [90, "budget of a key nearly spent", "90%"],
  [112, "budget of a key spent", "112%"],
])("%i of 100 tokens", async (tokens, message, share) => {
  const yaml = `${SERVER}keys: [{ name: dear, key: ${KEY}, budget: { tokens: 100, per: day } }]\n`;
  using folder = folderWith({ long: [say("long"), stop(), spent(tokens - 10, 10)] }, yaml);
  await using gateway = startMain(folder);
  const url = await gateway.listening();
  await (await ask(url, "long", { key: KEY, max_tokens: 10 })).text();
  await until(() => gateway.stderr.includes("budget of a key"), "the warning");
  expect(gateway.stderr).toContain(message);
  expect(gateway.stderr).toContain(share);
});
