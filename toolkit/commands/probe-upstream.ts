import type { Call, ChatEvent, Logger, Upstream } from "../../src/contract/index.ts";
import { UpstreamError } from "../../src/contract/index.ts";
import type { Recording } from "../capture/recording.ts";
import type { OpenUpstream } from "../../src/targets/open-upstream.ts";
import { Deadlines, STREAMING } from "../../src/attempts/deadlines.ts";

/** The events that a plugin made of an upstream's answer. */
export interface ProbeResult {
  /** The types of events, each once, in the order of their first occurrence. */
  readonly types: string[];
  /** The error, if the call failed. */
  readonly failure: unknown;
}

/** Sends one streamed request to a started upstream, within the upstream's timeouts, and reads the answer to its end. */
export async function probeUpstream(
  open: OpenUpstream,
  asking: Pick<Recording, "model" | "prompt">,
  log: Logger,
): Promise<ProbeResult> {
  const request = { model: asking.model, messages: [{ role: "user", content: asking.prompt }] } as const;
  const types = new Set<ChatEvent["type"]>();
  const leaving = new AbortController();
  const { id, upstream, timeouts } = open;
  using deadlines = new Deadlines({
    upstream: id,
    timeouts,
    profile: STREAMING,
    reportsConnection: upstream.reportsConnection === true,
    renew: () => false,
    onPassed: (error) => leaving.abort(error),
  });
  const call: Call = {
    headers: {},
    id: crypto.randomUUID(),
    attempt: 1,
    log,
    signal: leaving.signal,
    connected: () => deadlines.connected(),
    queued: () => deadlines.queued(),
    alive: () => deadlines.alive(),
    originalBody: () => undefined,
    ignored: () => undefined,
  };
  try {
    await unlessAborted(readAnswer(upstream.chat(request, call), deadlines, types), leaving.signal);
    if (types.has("finish")) return { types: [...types], failure: undefined };
    throw new UpstreamError("truncated", "the answer stopped without an end");
  } catch (failure) {
    leaving.abort(failure);
    return { types: [...types], failure };
  }
}

async function readAnswer(
  stream: ReturnType<Upstream["chat"]>,
  deadlines: Deadlines,
  types: Set<ChatEvent["type"]>,
): Promise<void> {
  let last = performance.now();
  const answer = {
    get waiting() {
      return performance.now() - last;
    },
  };
  for await (const { type } of await stream) {
    last = performance.now();
    if (types.size === 0) deadlines.committed(answer);
    if (type === "finish") deadlines.finished();
    types.add(type);
  }
}

/** Settles like `promise`, or rejects with the reason of the signal if that is aborted before. */
async function unlessAborted(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => aborted.reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  try {
    await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
