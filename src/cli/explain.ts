import { parseArgs } from "node:util";
import { proxyResolver, httpClient } from "../../config/environment.ts";
import { configPath, loadConfig } from "../../config/load.ts";
import type { LimitSettings, Settings } from "../../config/settings.ts";
import { GatewayError } from "../errors/gateway-error.ts";
import type { BuiltGateway, StartupPlan } from "../build-gateway.ts";
import { build, plan } from "../build-gateway.ts";
import { createLogger, flushLog } from "../log.ts";
import { upstreamFetch } from "../host/upstream-fetch.ts";
import type { Caller } from "../keys/keyring.ts";
import { Redactor } from "../secrets/redactor.ts";
import type { OpenUpstream } from "../targets/open-upstream.ts";
import { matchesAny } from "../targets/pattern.ts";
import type { Resolution } from "../targets/route-table.ts";
import { StartupError } from "../errors/startup-error.ts";
import { targetName } from "../targets/attempt-permit.ts";
import { refuseExpired } from "../pipeline/intake/authenticate.ts";
import type { Choice } from "../pipeline/admission/route.ts";
import { resolve, routeModel } from "../pipeline/admission/route.ts";
import { isUnpriced } from "../usage/unpriced.ts";
import { openTemporaryStorage } from "../storage/open-storage.ts";
import { knownKeys } from "./keys/known-keys.ts";
import { waitFor } from "./waiting.ts";
import { formatBudget, formatLimits } from "./keys/format-limits.ts";

/**
 * Runs `explain`, which prints where a request for a model would go, by the code that routes it. Returns exit code 0
 * when there is a target, 1 when the request would be refused, 2 for wrong arguments.
 */
export async function explain(argv: readonly string[]): Promise<number> {
  const { model, key } = parseArguments(argv);
  if (!model) {
    console.error("usage: bun run modelyard explain --model MODEL [--key NAME] [--config PATH]");
    return 2;
  }
  const config = await loadConfig(configPath(argv));
  const planned = await plan(config);
  const request = { model, ...(await describeCaller(key, planned, config.directory)) };
  const redactor = new Redactor();
  const log = createLogger({ log: "pretty", level: "warn", redact: redactor.redact });
  const fetchWithin = upstreamFetch({ ownClient: httpClient() === "own", proxyFor: proxyResolver() });
  const gateway = await build(planned, { log, storage: openTemporaryStorage(), redactor, fetchWithin });
  try {
    return await explainRequest(request, planned, gateway);
  } finally {
    await gateway.close();
    flushLog();
  }
}

function parseArguments(argv: readonly string[]): { readonly model?: string; readonly key?: string } {
  const options = { model: { type: "string" }, key: { type: "string" }, config: { type: "string" } } as const;
  try {
    return parseArgs({ args: [...argv], options }).values;
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    return {};
  }
}

/** The request to explain. */
interface ExplainedRequest {
  readonly model: string;
  readonly caller: Caller;
  /** The caller in words. */
  readonly by: string;
}

async function describeCaller(
  name: string | undefined,
  { settings }: StartupPlan,
  directory: string,
): Promise<Omit<ExplainedRequest, "model">> {
  if (name === undefined) {
    const { limits } = settings.key_defaults;
    const caller = { name: "", hash: "", models: ["*"], expires: undefined, limits, budget: undefined };
    return { by: "any key", caller };
  }
  const known = await knownKeys(settings, { directory });
  const caller = known.find((key) => key.name === name);
  if (caller) return { by: `the key "${name}"`, caller };
  throw new StartupError(`there is no key "${name}", neither in gateway.yaml nor in the database`);
}

async function explainRequest(
  request: ExplainedRequest,
  { settings }: StartupPlan,
  gateway: BuiltGateway,
): Promise<number> {
  const { model, caller } = request;
  console.log(`"${model}" with ${request.by}`);
  let unstarted: readonly OpenUpstream[] = [];
  try {
    refuseExpired(caller);
    unstarted = await fetchLists(gateway);
    const plan = await routeModel(model, { caller, gateway });
    const resolution = await resolve(model, gateway);
    if (resolution) printTargets(plan, resolution);
    printLimits(request, plan, settings);
    if (caller.budget?.usd !== undefined) printUnpriced(plan, gateway);
    await printAlternatives(model, plan, gateway);
    return 0;
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    console.log(`is refused with ${error.status} ${error.code}: ${error.message}`);
    const isUnlisted = error.code !== "model_not_allowed" && gateway.routes.resolve(model) === undefined;
    for (const { id, models } of isUnlisted ? unstarted : []) {
      if (!models || matchesAny(models, model))
        console.log(`  unless ${id} lists it, which is not started here`);
    }
    return 1;
  }
}

/**
 * Asks the upstreams for their lists. Returns those whose list may be had once they are started: here they are only
 * opened, for looking must neither sign anybody up nor use up an account's token.
 */
async function fetchLists({ catalog, upstreams, redact }: BuiltGateway): Promise<readonly OpenUpstream[]> {
  const all = [...upstreams.values()];
  const names = all.map(({ id }) => id).join(", ");
  await waitFor(`the lists of models of ${names}, at most 3 s`, catalog.settled());
  const unstarted = catalog.unreachable().filter(({ upstream }) => upstream.start !== undefined);
  for (const upstream of all) {
    const failure = catalog.listFailure(upstream);
    if (failure === undefined) continue;
    const start = unstarted.includes(upstream)
      ? "; it is not started here, the running gateway may have one"
      : "";
    console.log(`  no list of models from ${upstream.id}: ${redact(failure)}${start}`);
  }
  return unstarted;
}

function printTargets({ targets, onContextLength }: Choice, resolution: Resolution): void {
  console.log(`goes by ${describeResolution(resolution)}`);
  for (const [index, target] of targets.entries()) {
    const weight = resolution.strategy === "failover" ? "" : `  weight ${target.weight}`;
    console.log(`  ${index + 1}. ${targetName(target)}${weight}`);
  }
  for (const id of resolution.absent) console.log(`  not ${id}: it is disabled, or could not be opened`);
  if (onContextLength === "next") console.log("  a conversation that is too long for one goes to the next");
}

function printLimits({ caller, by }: ExplainedRequest, { targets }: Choice, { upstreams }: Settings): void {
  if (hasLimit(caller.limits)) {
    console.log(
      `  limits of ${by}${caller.name === "" ? " without its own" : ""}: ${formatLimits(caller.limits)}`,
    );
  }
  if (caller.budget) console.log(`  budget of ${by}: ${formatBudget(caller.budget)}`);
  for (const id of new Set(targets.map(({ upstream }) => upstream.id))) {
    const limits = upstreams[id]?.limits ?? {};
    if (hasLimit(limits)) console.log(`  limits of ${id}, for all keys together: ${formatLimits(limits)}`);
  }
}

function printUnpriced({ targets }: Choice, gateway: BuiltGateway): void {
  for (const target of targets.filter((each) => isUnpriced(each, gateway))) {
    console.log(`  no price is known for ${targetName(target)}: what it answers costs the budget no USD`);
  }
}

function hasLimit(limits: LimitSettings): boolean {
  return Object.keys(limits).length > 0;
}

/** Prints other routes and upstreams that match the name but are not used. */
async function printAlternatives(model: string, { targets }: Choice, gateway: BuiltGateway): Promise<void> {
  const [, ...others] = gateway.routes.matches(model);
  for (const { via } of others) console.log(`  ${via} would fit as well, but comes later`);
  const asked = new Set(targets.map(({ upstream }) => upstream));
  for (const upstream of await gateway.catalog.offering(model)) {
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

function describeResolution({ via, strategy, targets }: Resolution): string {
  return targets.length === 1 ? `${via}, to` : `${via}, ${STRATEGIES[strategy]}:`;
}
