import { dirname, join, resolve } from "node:path";
import { proxyResolver } from "../../config/environment.ts";
import { configPath, loadConfig } from "../../config/load.ts";
import type { TimeoutSettings } from "../../config/settings.ts";
import type { StartupPlan } from "../../src/build-gateway.ts";
import type { Json } from "../../src/contract/index.ts";
import { plan } from "../../src/build-gateway.ts";
import { openUpstream } from "../../src/host/open-upstream.ts";
import type { PlannedUpstream } from "../../src/host/open-upstream.ts";
import { withTimeout } from "../../src/host/scope.ts";
import { createLogger, flushLog, messageOf } from "../../src/log.ts";
import { upstreamFetch } from "../../src/host/upstream-fetch.ts";
import { recordingFetch } from "../capture/record-fetch.ts";
import { recordSockets } from "../capture/record-sockets.ts";
import type { Recording } from "../capture/recording.ts";
import { optionsInAddresses, redactRecording, secretsOf } from "../capture/redact.ts";
import { FrameLog } from "../capture/frame-log.ts";
import type { OpenUpstream } from "../../src/targets/open-upstream.ts";
import { Redactor } from "../../src/secrets/redactor.ts";
import { StartupError } from "../../src/errors/startup-error.ts";
import { openTemporaryStorage } from "../../src/storage/open-storage.ts";
import { probeUpstream } from "./probe-upstream.ts";
import { waitFor } from "../../src/cli/waiting.ts";

// What an upstream sends after the answer's end is recorded, too.
const QUIET_MS = 300;
const LONGEST_MS = 3_000;

/** A call of one upstream of gateway.yaml. */
export interface RecordOptions {
  readonly upstream: string;
  readonly prompt: string;
  /** Default: the first model that the upstream lists. */
  readonly model: string | undefined;
}

/** The recording of a call, without secrets, and its error message if it failed. */
export interface RecordedCall {
  readonly recording: Recording;
  readonly failure: string | undefined;
}

/** Returns the default file of an upstream's recording, beside the gateway.yaml of the command line. */
export function recordingFile(argv: readonly string[], upstream: string): string {
  return join(dirname(resolve(configPath(argv))), "recordings", `${upstream}.json`);
}

/**
 * Opens one upstream of gateway.yaml, sends it one streamed request, and records everything on the wire. Its state is
 * in memory: the gateway's stored credentials aren't used, and its database isn't written.
 * Throws a ConfigError or a StartupError when it can't be opened.
 */
export async function recordCall(argv: readonly string[], question: RecordOptions): Promise<RecordedCall> {
  const planned = await plan(await loadConfig(configPath(argv)));
  const upstream = plannedUpstream(planned, question.upstream);
  const redactor = new Redactor();
  for (const secret of planned.secrets) redactor.addLasting(secret);
  const log = createLogger({ log: "pretty", level: "error", redact: redactor.redact });
  const frameLog = new FrameLog();
  using _sockets = await recordSockets(frameLog);
  const outbound = upstreamFetch({ ownClient: false, proxyFor: proxyResolver() });
  const fetchWithin = (patience: TimeoutSettings) => recordingFetch(outbound(patience), frameLog);
  const around = { log, redactor, storage: openTemporaryStorage(), fetchWithin };
  const open = await openUpstream(upstream, around).catch((cause: unknown) => {
    throw new StartupError(
      `the upstream "${upstream.id}" can't be opened: ${redactor.redact(messageOf(cause))}`,
    );
  });
  try {
    await start(open);
    const model = question.model ?? (await firstModel(open));
    frameLog.restart();
    const asking = { upstream: open.id, plugin: open.plugin, model, prompt: question.prompt };
    const { types, failure } = await waitFor(`the answer of "${open.id}"`, probeUpstream(open, asking, log));
    await frameLog.waitForQuiet(QUIET_MS, LONGEST_MS);
    const recorded = new Date().toISOString();
    const recording: Recording = { version: 1, ...asking, recorded, answer: types, frames: frameLog.frames };
    const given = optionsInAddresses(recording, upstream.options as Json);
    for (const secret of [...frameLog.secrets, ...secretsOf(recording), ...given])
      redactor.addLasting(secret);
    return {
      recording: redactRecording(recording, redactor.redact),
      failure: failure === undefined ? undefined : redactor.redact(messageOf(failure)),
    };
  } finally {
    await open.close();
    flushLog();
  }
}

function plannedUpstream({ upstreams, unloadable }: StartupPlan, id: string): PlannedUpstream {
  const found = upstreams.find((upstream) => upstream.id === id);
  if (found) return found;
  const broken = unloadable.find((upstream) => upstream.id === id);
  if (broken) throw new StartupError(`the plugin of "${id}" can't be loaded: ${broken.problem.message}`);
  const known = upstreams.map((upstream) => upstream.id).join(", ");
  throw new StartupError(`gateway.yaml has no enabled upstream "${id}"; it has: ${known}`);
}

/** Calls start(), which the list of models may require. */
async function start({ id, upstream, timeouts }: OpenUpstream): Promise<void> {
  try {
    await waitFor(`"${id}" to start`, withTimeout(timeouts.first_event, upstream.start?.()));
  } catch (cause) {
    throw new StartupError(`the upstream "${id}" can't be started: ${messageOf(cause)}`);
  }
}

async function firstModel({ id, upstream, timeouts }: OpenUpstream): Promise<string> {
  const advice = "name one with --model";
  const listed = upstream.models(AbortSignal.timeout(timeouts.first_event));
  const models = await waitFor(`the list of models of "${id}"`, listed).catch((cause: unknown) => {
    throw new StartupError(
      `the upstream "${id}" gives no list of its models (${messageOf(cause)}): ${advice}`,
    );
  });
  const [first] = models;
  if (first) return first.id;
  throw new StartupError(`the upstream "${id}" lists no models: ${advice}`);
}
