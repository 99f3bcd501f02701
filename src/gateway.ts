import type { LoadedConfig } from "../config/load.ts";
import { ConfigError } from "../config/problem.ts";
import type { KeySettings, Settings } from "../config/settings.ts";
import type { PlannedUpstream, Surroundings } from "./host/open-upstream.ts";
import { openUpstreams } from "./host/open-upstreams.ts";
import type { UnloadableUpstream } from "./host/plan-upstreams.ts";
import { planUpstreams } from "./host/plan-upstreams.ts";
import type { GatewayLogger } from "./log.ts";
import { ByteBudget } from "./state/byte-budget.ts";
import { CallRegistry } from "./state/call-registry.ts";
import type { Gateway } from "./state/gateway.ts";
import type { StoredKey } from "./state/keyring.ts";
import { hashKey, Keyring } from "./state/keyring.ts";
import { ModelDirectory } from "./state/model-directory.ts";
import { RouteTable } from "./state/route-table.ts";
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
  /** Optional upstreams whose plugins can't be loaded. */
  readonly unloadable: readonly UnloadableUpstream[];
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
  const { problems: found, ...planned } = await planUpstreams(config);
  const problems = [...config.problems, ...found];
  if (problems.length > 0 || !config.settings) throw new ConfigError(problems);
  return { ...planned, settings: config.settings, secrets: [...config.secrets, ...planned.secrets] };
}

/** Opens every upstream of a plan. Throws a StartupError, with none left open, when one can't be. */
export async function build(plan: Plan, around: Surroundings): Promise<BuiltGateway> {
  const { settings } = plan;
  const { log, storage, redactor } = around;
  for (const secret of plan.secrets) redactor.addLasting(secret);
  const opened = await openUpstreams(plan, around);
  const upstreams = opened.byId;
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
    keyring: new Keyring({
      configured: settings.keys.map(storedKey),
      store: storage.keys,
      defaults: settings.key_defaults.limits,
      firstUse: (key) => redactor.addLasting(key),
    }),
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
    start: () => opened.start(),
    close: async () => {
      tokens[Symbol.dispose]();
      await opened.close();
    },
  };
}

function reportCircuit(log: GatewayLogger, { target, state, cause, ms }: CircuitChange): void {
  if (state === "open") log.warn("a target is left alone for a while", { target, cause, ms });
  else log.info("a target is back", { target });
}

function storedKey({ name, key, key_sha256: hash, models, expires, limits, budget }: KeySettings): StoredKey {
  return { name, hash: hash ?? hashKey(key ?? ""), models, expires, limits, budget };
}
