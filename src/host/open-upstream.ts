import type { TimeoutSettings, UpstreamSettings } from "../../config/settings.ts";
import type { Host, Upstream, UpstreamPlugin } from "../contract/index.ts";
import type { GatewayLogger } from "../log.ts";
import type { OpenUpstream } from "../targets/open-upstream.ts";
import type { Redactor } from "../secrets/redactor.ts";
import type { Storage } from "../storage/storage.ts";
import { Scope, withTimeout } from "./scope.ts";

// open() neither uses the network nor writes, so one that takes this long hangs.
const OPEN_DEADLINE_MS = 10_000;
const OPEN_ADVICE = ": open() may only check and build; what waits belongs in start()";

/** An upstream with its loaded plugin and validated options. */
export interface PlannedUpstream {
  readonly id: string;
  readonly plugin: UpstreamPlugin;
  readonly options: unknown;
  readonly settings: UpstreamSettings;
}

/** Dependencies that the process provides to upstreams. */
export interface HostDeps {
  readonly log: GatewayLogger;
  readonly storage: Storage;
  readonly redactor: Redactor;
  /** Returns the fetch function of an upstream, with the connect and idle timeouts of its settings. */
  readonly fetchWithin: (patience: TimeoutSettings) => typeof fetch;
}

/** Opens one upstream. If its plugin throws, runs the deferred clean-ups and rejects with that error. */
export async function openUpstream(planned: PlannedUpstream, deps: HostDeps): Promise<OpenUpstream> {
  const { id, plugin, options, settings } = planned;
  const log = deps.log.child({ upstream: id });
  const scope = new Scope(log);
  const closing = new AbortController();
  // The signal comes first, so that pending calls of the upstream don't delay its clean-ups.
  const close = async () => {
    closing.abort(new Error(`the upstream "${id}" is being closed`));
    await scope.close();
  };
  const host: Host = {
    id,
    log,
    fetch: deps.fetchWithin(settings.timeouts),
    signal: closing.signal,
    storage: deps.storage.stateOf(id),
    secret: (value) => deps.redactor.add(value),
    defer: scope.defer,
  };
  try {
    const opening = plugin.open(options as never, host);
    const opened = await withTimeout<unknown>(OPEN_DEADLINE_MS, opening, OPEN_ADVICE);
    const upstream = checkedUpstream(opened, plugin.name);
    const { models, timeouts, limits } = settings;
    const limited = Object.keys(limits).length > 0 ? limits : undefined;
    return { id, plugin: plugin.name, upstream, models, timeouts, limits: limited, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Checks at run time what a plugin that was never type-checked may violate. */
function checkedUpstream(opened: unknown, plugin: string): Upstream {
  if (typeof opened !== "object" || opened === null) {
    throw new Error(`open() of the plugin "${plugin}" must return an object with models and chat`);
  }
  const { models, chat } = opened as Partial<Upstream>;
  const missing = Object.entries({ models, chat }).filter(([, member]) => typeof member !== "function");
  if (missing.length > 0) {
    const names = missing.map(([name]) => name).join(", and no function ");
    throw new Error(`what open() of the plugin "${plugin}" returns has no function ${names}`);
  }
  return opened as Upstream;
}
