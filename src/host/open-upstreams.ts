import type { Problem } from "../../config/problem.ts";
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
    const fields = { upstream: id, ...fieldsOf(problem) };
    deps.log.error("an optional upstream's plugin can't be loaded; the others serve", fields);
  }
  for (const planned of upstreams) {
    try {
      byId.set(planned.id, await openUpstream(planned, deps));
    } catch (cause) {
      if (reported("opened", planned, { cause, deps })) continue;
      await close();
      throw failure("opened", planned, { cause, deps });
    }
  }
  return { byId, close, start: () => startAll(upstreams, byId, deps) };
}

async function startAll(
  planned: readonly PlannedUpstream[],
  byId: ReadonlyMap<string, OpenUpstream>,
  deps: HostDeps,
): Promise<void> {
  const start = async (upstream: PlannedUpstream) => {
    try {
      await byId.get(upstream.id)?.upstream.start?.();
    } catch (cause) {
      if (!reported("started", upstream, { cause, deps }))
        throw failure("started", upstream, { cause, deps });
    }
  };
  await Promise.all(planned.map(start));
}

function fieldsOf({ file, line, column, message, hint }: Problem) {
  return { at: `${file}:${line}:${column}`, error: message, ...(hint !== undefined && { hint }) };
}

interface Failed {
  readonly cause: unknown;
  readonly deps: HostDeps;
}

/** Logs the failure of an optional upstream. Returns false for a required one. */
function reported(what: string, { id, settings }: PlannedUpstream, failed: Failed): boolean {
  if (!settings.optional) return false;
  const fields = { upstream: id, error: reasonOf(failed) };
  failed.deps.log.error(`an optional upstream can't be ${what}; the others serve`, fields);
  return true;
}

function failure(what: string, { id }: PlannedUpstream, failed: Failed): StartupError {
  return new StartupError(`the upstream "${id}" can't be ${what}: ${reasonOf(failed)}`, {
    cause: failed.cause,
  });
}

function reasonOf({ cause, deps }: Failed): string {
  const place = thrownAt(cause);
  const reason = messageOf(cause);
  return deps.redactor.redact(place === undefined ? reason : `${reason} (${place})`);
}
