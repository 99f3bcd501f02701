import { messageOf } from "../log.ts";
import type { OpenUpstream } from "../targets/open-upstream.ts";
import { StartupError } from "../errors/startup-error.ts";
import type { PlannedUpstream, HostDeps } from "./open-upstream.ts";
import { openUpstream } from "./open-upstream.ts";
import type { PlannedUpstreams } from "./plan-upstreams.ts";
import { thrownAt } from "./thrown-at.ts";

/** The upstreams of a gateway that could be opened. */
export interface OpenUpstreams {
  /** In the order of gateway.yaml. */
  readonly byId: ReadonlyMap<string, OpenUpstream>;
  /** Starts the background work of all upstreams. Rejects with a StartupError if a required one fails. */
  start(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens every upstream of a plan. If a required one fails, closes the others and rejects with a StartupError. The
 * failure of an optional one is logged.
 */
export async function openUpstreams(
  { upstreams, unloadable }: Pick<PlannedUpstreams, "upstreams" | "unloadable">,
  deps: HostDeps,
): Promise<OpenUpstreams> {
  const byId = new Map<string, OpenUpstream>();
  const close = async () => {
    await Promise.all([...byId.values()].map((upstream) => upstream.close()));
  };
  for (const { id, problem } of unloadable) {
    const { file, line, column, message: error, hint } = problem;
    const fields = {
      upstream: id,
      at: `${file}:${line}:${column}`,
      error,
      ...(hint !== undefined && { hint }),
    };
    deps.log.error("an optional upstream's plugin can't be loaded; the others serve", fields);
  }
  try {
    for (const planned of upstreams) {
      const opening = openUpstream(planned, deps);
      const opened = await opening.catch((cause: unknown) => failed("opened", planned, { cause, deps }));
      if (opened) byId.set(planned.id, opened);
    }
  } catch (error) {
    await close();
    throw error;
  }
  const start = async (planned: PlannedUpstream) => {
    try {
      await byId.get(planned.id)?.upstream.start?.();
    } catch (cause) {
      failed("started", planned, { cause, deps });
    }
  };
  return { byId, close, start: async () => void (await Promise.all(upstreams.map(start))) };
}

/** Logs the failure of an optional upstream. Throws a StartupError for a required one. */
function failed(
  what: string,
  { id, settings }: PlannedUpstream,
  { cause, deps }: { readonly cause: unknown; readonly deps: HostDeps },
): void {
  const place = thrownAt(cause);
  const reason = place === undefined ? messageOf(cause) : `${messageOf(cause)} (${place})`;
  const error = deps.redactor.redact(reason);
  if (!settings.optional)
    throw new StartupError(`the upstream "${id}" can't be ${what}: ${error}`, { cause });
  deps.log.error(`an optional upstream can't be ${what}; the others serve`, { upstream: id, error });
}
