import { writeSync } from "node:fs";
import { configPath, loadConfig } from "../../../config/load.ts";
import type { Settings } from "../../../config/settings.ts";
import type { StartupPlan } from "../../build-gateway.ts";
import { plan } from "../../build-gateway.ts";
import { messageOf } from "../../log.ts";
import { budgetPeriod } from "../../limits/budget-period.ts";
import type { Grant, KeySource } from "../../keys/keyring.ts";
import { makeKey, NameTakenError } from "../../keys/keyring.ts";
import { StartupError } from "../../errors/startup-error.ts";
import { printHelp, isHelp } from "../../../toolkit/commands/plugin-help.ts";
import { unpricedWarnings } from "../../usage/unpriced.ts";
import { buildOffline } from "../build-offline.ts";
import { parseKeysArgs } from "./parse-keys-args.ts";
import type { KeysCommand } from "./parse-keys-args.ts";
import type { SpentSince } from "./format-keys.ts";
import { toKeyJson, formatKey, formatKeyTable } from "./format-keys.ts";
import type { KnownKey, ConfigFolder } from "./known-keys.ts";
import { hasDatabase, knownKeys, withStorage } from "./known-keys.ts";

const USAGE = `usage: bun run modelyard keys create NAME [--models gpt-4o*,claude-*] [--expires 2027-01-01]
           [--requests-per-minute N] [--requests-per-day N] [--tokens-per-minute N] [--concurrent-requests N]
           [--budget-usd N] [--budget-tokens N] [--budget-per day|week|month]
       bun run modelyard keys list [--json]
       bun run modelyard keys show NAME [--json]
       bun run modelyard keys revoke NAME
       each with [--config PATH]`;

/** Runs `keys create`, `list`, `show` and `revoke`; a running gateway applies a change within a second. */
export async function keys(argv: readonly string[]): Promise<number> {
  if (argv.some(isHelp)) return printHelp(USAGE);
  let command: KeysCommand;
  try {
    command = parseKeysArgs(argv);
  } catch (error) {
    console.error(`${messageOf(error)}\n${USAGE}`);
    return 2;
  }
  const config = await loadConfig(configPath(argv));
  const planned = await plan(config);
  const { settings } = planned;
  if (command.action === "create") {
    const { grant } = command;
    const code = await withStorage(settings, config, ({ keys: store }) => create(grant, store, settings));
    if (code === 0 && grant.budget?.usd !== undefined) await warnOfUnpriced(grant, planned);
    return code;
  }
  if (command.action === "revoke") return revoke(command.name, settings, config);
  const all = await knownKeys(settings, config);
  if (command.action === "list") return list(all, command.json);
  const key = all.find(({ name }) => name === command.name);
  return key ? show(key, await spentOf(key, settings, config), command.json) : missing(command.name);
}

async function create(grant: Grant, store: KeySource, { keys: configured }: Settings): Promise<number> {
  const { name } = grant;
  try {
    if (configured.some((key) => key.name === name)) throw new NameTakenError(name);
    await showOnce(await makeKey(grant, store), () => store.delete(name));
  } catch (error) {
    if (!(error instanceof NameTakenError)) throw error;
    console.error(error.message);
    return 1;
  }
  console.error(`The key "${name}" is shown only this once. A running gateway accepts it from now on.`);
  return 0;
}

/** Prints a new key; calls `takeBack` and throws a StartupError if that fails, as nobody knows such a key. */
async function showOnce(key: string, takeBack: () => Promise<unknown>): Promise<void> {
  try {
    // At once, for only so does an error come here.
    writeSync(1, `${key}\n`);
  } catch (cause) {
    await takeBack();
    throw new StartupError(`the key can't be shown, so it is taken back: ${messageOf(cause)}`, { cause });
  }
}

/** Warns of the routes' models for which the key's budget in USD counts nothing. */
async function warnOfUnpriced(grant: Grant, planned: StartupPlan): Promise<void> {
  try {
    const { gateway } = await buildOffline(planned);
    for (const warning of unpricedWarnings([{ ...grant, models: grant.models ?? ["*"] }], gateway))
      console.error(warning);
    await gateway.close();
  } catch (error) {
    if (!(error instanceof StartupError)) throw error;
    console.error(`the prices of its models can't be checked: ${error.message}`);
  }
}

async function revoke(name: string, settings: Settings, config: ConfigFolder): Promise<number> {
  const revoked =
    hasDatabase(settings, config) &&
    (await withStorage(settings, config, ({ keys: store }) => store.delete(name)));
  const isConfigured = settings.keys.some((key) => key.name === name);
  if (!revoked && !isConfigured) return missing(name);
  if (revoked) {
    const which = isConfigured ? `The key "${name}" of the database` : `The key "${name}"`;
    console.error(`${which} is no longer good; a running gateway refuses it within a second.`);
  }
  if (!isConfigured) return 0;
  const another = revoked ? "another key of that name is still good: it" : `the key "${name}"`;
  console.error(`${another} stands in gateway.yaml; remove it there`);
  return 1;
}

function list(all: readonly KnownKey[], json: boolean): number {
  if (json) console.log(JSON.stringify(all.map(toKeyJson), null, 2));
  else if (all.length > 0) console.log(formatKeyTable(all));
  else console.error("There is no key yet: one is made at the first start, or by keys create NAME.");
  return 0;
}

function show(key: KnownKey, spent: SpentSince | undefined, json: boolean): number {
  console.log(
    json ? JSON.stringify({ ...toKeyJson(key), spent: spent ?? null }, null, 2) : formatKey(key, spent),
  );
  return 0;
}

/** Returns the usage of the key's budget by the ledger, or undefined if it has none. */
async function spentOf(
  { name, budget }: KnownKey,
  settings: Settings,
  config: ConfigFolder,
): Promise<SpentSince | undefined> {
  if (!budget) return undefined;
  const { start } = budgetPeriod(budget.per, Date.now());
  const since = new Date(start).toISOString().slice(0, 10);
  if (!hasDatabase(settings, config)) return { usd: 0, tokens: 0, since };
  const spent = await withStorage(settings, config, ({ ledger }) => ledger.spentSince(name, start));
  return { ...spent, since };
}

function missing(name: string): number {
  console.error(`there is no key "${name}", neither in gateway.yaml nor in the database`);
  return 1;
}
