import type { TimeoutSettings, UpstreamSettings } from "../../config/settings.ts";
import type { Host, Upstream, UpstreamPlugin } from "../contract/index.ts";
import type { GatewayLogger } from "../log.ts";
import type { OpenUpstream } from "../targets/open-upstream.ts";
import type { Redactor } from "../secrets/redactor.ts";
import type { Storage } from "../storage/storage.ts";
import { Scope, within } from "./scope.ts";

// open() neither waits for the network nor writes, so one that takes this long hangs.
const OPEN_DEADLINE_MS = 10_000;
const OPEN_ADVICE = ": open() may only check and build; what waits belongs in start()";

/** An upstream whose plugin is loaded and whose options are checked. */
export interface PlannedUpstream {
  readonly id: string;
  readonly plugin: UpstreamPlugin;
  readonly options: unknown;
  readonly settings: UpstreamSettings;
}

/** What upstreams are lent by the process that opens them. */
export interface HostDeps {
  readonly log: GatewayLogger;
  readonly storage: Storage;
  readonly redactor: Redactor;
  /** What an upstream makes its requests by, with the patience that its `timeouts` set. */
  readonly fetchWithin: (patience: TimeoutSettings) => typeof fetch;
}

/** Opens one upstream; rejects with what its plugin threw, after its clean-ups have run. */
export async function openUpstream(planned: PlannedUpstream, around: HostDeps): Promise<OpenUpstream> {
  const { id, plugin, options, settings } = planned;
  const log = around.log.child({ upstream: id });
  const scope = new Scope(log);
  const closing = new AbortController();
  // The signal first: what still waits for the upstream must not hold up its clean-ups.
  const close = async () => {
    closing.abort(new Error(`the upstream "${id}" is being closed`));
    await scope.close();
  };
  const host: Host = {
    id,
    log,
    fetch: around.fetchWithin(settings.timeouts),
    signal: closing.signal,
    storage: around.storage.stateOf(id),
    secret: (value) => around.redactor.add(value),
    defer: scope.defer,
  };
  try {
    const opening = plugin.open(options as never, host);
    const opened = await within<unknown>(OPEN_DEADLINE_MS, opening, OPEN_ADVICE);
    const upstream = checkedUpstream(opened, plugin.name);
    const { models, timeouts, limits } = settings;
    const limited = Object.keys(limits).length > 0 ? limits : undefined;
    return { id, plugin: plugin.name, upstream, models, timeouts, limits: limited, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Types don't hold a plugin that nobody compiled to anything. */
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
