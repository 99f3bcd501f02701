import { checkValue } from "../config/check.ts";
import type { LoadedConfig, LoadedUpstream } from "../config/load.ts";
import type { Problem } from "../config/problem.ts";
import { ConfigError } from "../config/problem.ts";
import type { KeySettings, Settings } from "../config/settings.ts";
import type { PlannedUpstream, Surroundings } from "./host/open-upstream.ts";
import { openUpstream } from "./host/open-upstream.ts";
import { loadPlugin, PluginError } from "./host/resolve.ts";
import type { GatewayLogger } from "./log.ts";
import { ByteBudget } from "./state/byte-budget.ts";
import { CallRegistry } from "./state/call-registry.ts";
import type { Gateway } from "./state/gateway.ts";
import type { OpenUpstream } from "./state/open-upstream.ts";
import type { StoredKey } from "./state/keyring.ts";
import { hashKey, Keyring } from "./state/keyring.ts";
import { ModelDirectory } from "./state/model-directory.ts";
import { RouteTable } from "./state/route-table.ts";
import { StartupError } from "./state/startup-error.ts";
import type { CircuitChange } from "./state/target-states.ts";
import { TargetStates } from "./state/target-states.ts";
import { TokenCounter } from "./state/token-counter.ts";

const HEARTBEAT_MS = 15_000;
const BODY_IDLE_MS = 30_000;
const BODY_TOTAL_MS = 5 * 60_000;

/** A configuration without mistakes, its plugins loaded and their options checked; nothing is open yet. */
export interface Plan {
  readonly settings: Settings;
  readonly upstreams: readonly PlannedUpstream[];
  /** Values that must never be seen. */
  readonly secrets: readonly string[];
}

/** A gateway with its upstreams open. */
export interface BuiltGateway extends Gateway {
  /** Lets the upstreams begin their background work. */
  start(): Promise<void>;
  /** Closes the upstreams; requests must have ended. */
  close(): Promise<void>;
}

/** Loads the plugins and checks their options. Throws a ConfigError with every mistake of the file. */
export async function plan(config: LoadedConfig): Promise<Plan> {
  const problems: Problem[] = [...config.problems];
  const upstreams: PlannedUpstream[] = [];
  const secrets: string[] = [...config.secrets];
  for (const loaded of config.upstreams) {
    const checked = await planUpstream(loaded, config);
    problems.push(...checked.problems);
    secrets.push(...checked.secrets);
    const settings = config.settings?.upstreams[loaded.id];
    if (checked.plugin && settings) {
      upstreams.push({ id: loaded.id, plugin: checked.plugin, options: checked.options, settings });
    }
  }
  if (problems.length > 0 || !config.settings) throw new ConfigError(problems);
  return { settings: config.settings, upstreams, secrets };
}

/** The plugin and its options; undefined and the problems where there are any. */
async function planUpstream(
  { plugin: name, options, path }: LoadedUpstream,
  { document, directory }: LoadedConfig,
) {
  try {
    const plugin = await loadPlugin(name, directory);
    const { value, ...found } = checkValue(plugin.options, options, { document, path });
    return { plugin, options: value, ...found };
  } catch (error) {
    if (!(error instanceof PluginError)) throw error;
    const { hint, message } = error;
    const problem = document.problem([...path.slice(0, -1), "plugin"], {
      message,
      ...(hint !== undefined && { hint }),
    });
    return { plugin: undefined, options: undefined, problems: [problem], secrets: [] };
  }
}

/** Opens every upstream of a plan. Throws a StartupError, with none left open, when one can't be. */
export async function build(
  { settings, upstreams: planned, secrets }: Plan,
  around: Surroundings,
): Promise<BuiltGateway> {
  const { log, storage, redactor } = around;
  for (const secret of secrets) redactor.addLasting(secret);
  const upstreams = await openAll(planned, around);
  const tokens = new TokenCounter(log);
  const directory = new ModelDirectory(upstreams.values(), log);
  return {
    limits: {
      maxBody: settings.server.max_body,
      earlyHeaders: settings.server.early_headers,
      heartbeat: HEARTBEAT_MS,
      bodyIdle: BODY_IDLE_MS,
      bodyTotal: BODY_TOTAL_MS,
    },
    keyring: new Keyring(settings.keys.map(storedKey), storage.keys),
    upstreams,
    directory,
    routes: new RouteTable(settings.routes, upstreams, (upstream, model) => directory.lists(upstream, model)),
    targets: new TargetStates({
      health: settings.health,
      retryShare: settings.retry.budget,
      changed: (change) => reportCircuit(log, change),
    }),
    retry: settings.retry,
    bodies: new ByteBudget(settings.server.max_bodies),
    calls: new CallRegistry(),
    tokens,
    log,
    redact: redactor.redact,
    start: () => startAll(upstreams),
    close: async () => {
      tokens[Symbol.dispose]();
      await closeAll(upstreams);
    },
  };
}

function reportCircuit(log: GatewayLogger, { target, state, cause, ms }: CircuitChange): void {
  if (state === "open") log.warn("a target is left alone for a while", { target, cause, ms });
  else log.info("a target is back", { target });
}

async function openAll(
  planned: readonly PlannedUpstream[],
  around: Surroundings,
): Promise<Map<string, OpenUpstream>> {
  const opened = new Map<string, OpenUpstream>();
  for (const upstream of planned) {
    try {
      opened.set(upstream.id, await openUpstream(upstream, around));
    } catch (cause) {
      const reason = around.redactor.redact(cause instanceof Error ? cause.message : String(cause));
      if (upstream.settings.optional) {
        around.log.error("an optional upstream can't be opened; the others serve", {
          upstream: upstream.id,
          error: reason,
        });
        continue;
      }
      await closeAll(opened);
      throw new StartupError(`the upstream "${upstream.id}" can't be opened: ${reason}`, { cause });
    }
  }
  return opened;
}

async function startAll(upstreams: ReadonlyMap<string, OpenUpstream>): Promise<void> {
  await Promise.all([...upstreams.values()].map(async ({ upstream }) => upstream.start?.()));
}

async function closeAll(upstreams: ReadonlyMap<string, OpenUpstream>): Promise<void> {
  await Promise.all([...upstreams.values()].map((upstream) => upstream.close()));
}

function storedKey({ name, key, key_sha256: hash, models, expires, limits, budget }: KeySettings): StoredKey {
  return { name, hash: hash ?? hashKey(key ?? ""), models, expires, limits, budget };
}
