import { existsSync } from "node:fs";
import { parseArgs } from "node:util";
import { configPath, loadConfig } from "../../config/load.ts";
import type { Settings } from "../../config/settings.ts";
import { RequestError } from "../dialects/request-error.ts";
import type { BuiltGateway, Plan } from "../gateway.ts";
import { build, plan } from "../gateway.ts";
import { createLogger, flushLog } from "../log.ts";
import type { Caller } from "../state/keyring.ts";
import { Redactor } from "../state/redactor.ts";
import type { Resolution } from "../state/route-table.ts";
import { StartupError } from "../state/startup-error.ts";
import { targetName } from "../state/target-states.ts";
import { refuseExpired } from "../steps/authenticate.ts";
import type { Plan as RoutePlan } from "../steps/route.ts";
import { resolve, route } from "../steps/route.ts";
import { memoryStorage } from "../stores/memory.ts";
import { databaseFile, openSqlite } from "../stores/sqlite.ts";

const ANYBODY: Caller = { name: "any key", models: ["*"], expires: undefined };

/**
 * `explain`: says where a request for a model would go, by the code that sends it there. Gives 0 when it would
 * go anywhere, 1 when it would be refused, 2 when it was not asked properly.
 */
export async function explain(argv: readonly string[]): Promise<number> {
  const { model, key } = question(argv);
  if (!model) {
    console.error("usage: bun run modelyard explain --model MODEL [--key NAME] [--config PATH]");
    return 2;
  }
  const config = await loadConfig(configPath(argv));
  const planned = await plan(config);
  const caller = key === undefined ? ANYBODY : findKey(key, planned, config.directory);
  const redactor = new Redactor();
  const log = createLogger({ log: "pretty", level: "warn", redact: redactor.redact });
  const gateway = await build(planned, { log, storage: memoryStorage(), redactor, fetch });
  try {
    return await tell(model, caller, gateway);
  } finally {
    await gateway.close();
    flushLog();
  }
}

function question(argv: readonly string[]): { readonly model?: string; readonly key?: string } {
  const options = { model: { type: "string" }, key: { type: "string" }, config: { type: "string" } } as const;
  try {
    return parseArgs({ args: [...argv], options }).values;
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    return {};
  }
}

function findKey(name: string, { settings }: Plan, directory: string): Caller {
  const configured = settings.keys.find((key) => key.name === name);
  if (configured) return { ...configured, expires: configured.expires };
  const stored = storedKeys(settings, directory).find((key) => key.name === name);
  if (stored) return stored;
  throw new StartupError(`there is no key "${name}", neither in gateway.yaml nor in the database`);
}

/** The keys made at run time; asking for them makes no database where there is none. */
function storedKeys({ storage: settings }: Settings, directory: string): readonly Caller[] {
  if (!existsSync(databaseFile(settings, directory))) return [];
  const storage = openSqlite(settings, directory);
  const keys = storage.keys.list();
  storage.close();
  return keys;
}

async function tell(model: string, caller: Caller, gateway: BuiltGateway): Promise<number> {
  console.log(`"${model}" with ${caller === ANYBODY ? "any key" : `the key "${caller.name}"`}`);
  try {
    refuseExpired(caller);
    const plan = await route({ model }, { caller, gateway, call: { note: () => undefined } });
    const resolution = await resolve(model, gateway);
    if (resolution) tellWay(plan, resolution);
    await tellOthers(model, plan, gateway);
    return 0;
  } catch (error) {
    if (!(error instanceof RequestError)) throw error;
    console.log(`is refused with ${error.status} ${error.code}: ${error.message}`);
    return 1;
  }
}

function tellWay({ targets, onContextLength }: RoutePlan, resolution: Resolution): void {
  console.log(`goes by ${reason(resolution)}`);
  for (const [index, target] of targets.entries()) {
    const weight = resolution.strategy === "failover" ? "" : `  weight ${target.weight}`;
    console.log(`  ${index + 1}. ${targetName(target)}${weight}`);
  }
  for (const id of resolution.absent) console.log(`  not ${id}: it is disabled, or could not be opened`);
  if (onContextLength === "next") console.log("  a conversation that is too long for one goes to the next");
}

/** What else the name could have meant, so that nobody wonders why it doesn't. */
async function tellOthers(model: string, { targets }: RoutePlan, gateway: BuiltGateway): Promise<void> {
  const [, ...others] = gateway.routes.ways(model);
  for (const { via } of others) console.log(`  ${via} would fit as well, but comes later`);
  const asked = new Set(targets.map(({ upstream }) => upstream));
  for (const upstream of await gateway.directory.offering(model)) {
    if (!asked.has(upstream)) console.log(`  ${upstream.id} lists it as well, but is not asked`);
  }
}

const STRATEGIES: Readonly<Record<Resolution["strategy"], string>> = {
  failover: "tried in this order",
  weighted: "the first by chance and weight (this is one draw), the others if it fails",
  least_busy: "the one with the fewest requests under way first",
  fastest: "the quicker to its first event of two taken by chance first",
  sticky: "the first is always the same for a request's `user`, or else for its key",
};

function reason({ via, strategy, targets }: Resolution): string {
  return targets.length === 1 ? `${via}, to` : `${via}, ${STRATEGIES[strategy]}:`;
}
