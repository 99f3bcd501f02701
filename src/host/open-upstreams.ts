import type { Problem } from "../../config/problem.ts";
import { messageOf } from "../log.ts";
import type { OpenUpstream } from "../targets/open-upstream.ts";
import { StartupError } from "../errors/startup-error.ts";
import type { PlannedUpstream, HostDeps } from "./open-upstream.ts";
import { openUpstream } from "./open-upstream.ts";
import type { PlannedUpstreams } from "./plan-upstreams.ts";
import { thrownAt } from "./thrown-at.ts";

/** The upstreams of a gateway, all that can be opened. */
export interface OpenUpstreams {
  /** In the order of the file. */
  readonly byId: ReadonlyMap<string, OpenUpstream>;
  /** Lets them begin their background work. Throws a StartupError when one that isn't optional can't. */
  start(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens every upstream of a plan. Throws a StartupError, with none left open, when one can't be; one that is
 * optional is an error in the log instead.
 */
export async function openUpstreams(
  { upstreams, unloadable }: Pick<PlannedUpstreams, "upstreams" | "unloadable">,
  around: HostDeps,
): Promise<OpenUpstreams> {
  const byId = new Map<string, OpenUpstream>();
  const close = async () => {
    await Promise.all([...byId.values()].map((upstream) => upstream.close()));
  };
  for (const { id, problem } of unloadable) {
    const fields = { upstream: id, ...fieldsOf(problem) };
    around.log.error("an optional upstream's plugin can't be loaded; the others serve", fields);
  }
  for (const planned of upstreams) {
    try {
      byId.set(planned.id, await openUpstream(planned, around));
    } catch (cause) {
      if (reported("opened", planned, { cause, around })) continue;
      await close();
      throw failure("opened", planned, { cause, around });
    }
  }
  return { byId, close, start: () => startAll(upstreams, byId, around) };
}

async function startAll(
  planned: readonly PlannedUpstream[],
  byId: ReadonlyMap<string, OpenUpstream>,
  around: HostDeps,
): Promise<void> {
  const start = async (upstream: PlannedUpstream) => {
    try {
      await byId.get(upstream.id)?.upstream.start?.();
    } catch (cause) {
      if (!reported("started", upstream, { cause, around }))
        throw failure("started", upstream, { cause, around });
    }
  };
  await Promise.all(planned.map(start));
}

function fieldsOf({ file, line, column, message, hint }: Problem) {
  return { at: `${file}:${line}:${column}`, error: message, ...(hint !== undefined && { hint }) };
}

interface Failed {
  readonly cause: unknown;
  readonly around: HostDeps;
}

/** True if the upstream is optional: its failure is written to the log, and nothing else comes of it. */
function reported(what: string, { id, settings }: PlannedUpstream, failed: Failed): boolean {
  if (!settings.optional) return false;
  const fields = { upstream: id, error: reasonOf(failed) };
  failed.around.log.error(`an optional upstream can't be ${what}; the others serve`, fields);
  return true;
}

function failure(what: string, { id }: PlannedUpstream, failed: Failed): StartupError {
  return new StartupError(`the upstream "${id}" can't be ${what}: ${reasonOf(failed)}`, {
    cause: failed.cause,
  });
}

function reasonOf({ cause, around }: Failed): string {
  const place = thrownAt(cause);
  const reason = messageOf(cause);
  return around.redactor.redact(place === undefined ? reason : `${reason} (${place})`);
}
