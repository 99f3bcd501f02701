import { FAILURES, UpstreamError } from "modelyard/plugin";
import type { Call, ChatRequest, ChatStream, Host, Json, Model, Upstream } from "modelyard/plugin";
import { credentialPool, CredentialExclusions, withOtherCredential } from "modelyard/credentials";
import type { CredentialPool, Lease } from "modelyard/credentials";
import { systemClock } from "modelyard/kit";
import type { Clock } from "modelyard/kit";
import { AnswerReader } from "./run/answer.ts";
import { GoTrue } from "./auth/gotrue.ts";
import { CONNECTION_TIMES } from "./socket/connection.ts";
import type { ConnectionTimes } from "./socket/connection.ts";
import { Connections } from "./socket/connections.ts";
import type { Attachment } from "./socket/connections.ts";
import { credentialSource } from "./auth/credentials.ts";
import type { Credential } from "./auth/credentials.ts";
import { listModels } from "./models.ts";
import type { Options } from "./options.ts";
import { PromptRuns } from "./run/prompt-runs.ts";
import { RecentIds } from "./socket/recent-ids.ts";
import { mapRequest } from "./request/request.ts";
import type { Prompt } from "./request/request.ts";
import { Run } from "./run/run.ts";
import { RunStream } from "./run/run-stream.ts";
import type { RunFailure, OpenRun } from "./run/run-stream.ts";
import { CredentialSharing } from "./auth/sharing.ts";
import type { RunLease } from "./auth/sharing.ts";
import { Supabase } from "./auth/supabase.ts";
import { newDropCounters } from "./socket/event-demux.ts";

/** How many ended executions are remembered, so that their late events are recognised. */
const REMEMBERED_EXECUTIONS = 10_000;

/** The clock and the socket timeouts; tests replace them. */
export interface Timing {
  readonly clock: Clock;
  readonly times: ConnectionTimes;
}

/** Error codes of `initiate-prompt-run` after which the service has started no run. */
const NOT_STARTED = [
  "rejected",
  "rate-limited",
  "out-of-credit",
  "bad-request",
  "content-filter",
  "too-large",
  "unsupported",
  "no-such-model",
  "context-length",
];

/** The parts of a run that is being started. */
interface RunStart {
  readonly run: Run;
  readonly attachment: Attachment;
  readonly runLease: RunLease;
  readonly call: Call;
}

/** The langfa.st prompt runner as an upstream. */
export class Langfast implements Upstream {
  readonly reportsConnection = true;
  readonly alwaysStreams = true;
  readonly #drops = newDropCounters();
  readonly #sharing = new CredentialSharing();
  readonly #exclusions = new CredentialExclusions();
  readonly #connections: Connections;
  readonly #pool: CredentialPool<Credential>;
  readonly #promptRuns: PromptRuns;

  constructor(options: Options, host: Host, timing: Partial<Timing> = {}) {
    const { clock = systemClock, times = CONNECTION_TIMES } = timing;
    const supabase = new Supabase(options, host);
    const connections = new Connections({
      url: options.socket_url,
      times,
      clock,
      sharing: this.#sharing,
      drops: this.#drops,
      endedIds: new RecentIds(REMEMBERED_EXECUTIONS),
    });
    const source = credentialSource(new GoTrue(supabase, clock), options, (id) => connections.retire(id));
    this.#connections = connections;
    this.#promptRuns = new PromptRuns(supabase, options.prompt_id);
    this.#pool = credentialPool(source, { ...options.credentials, clock }, host);
    host.defer(() => connections.close());
  }

  start(): void {
    this.#pool.start();
  }

  models(): Promise<readonly Model[]> {
    return Promise.resolve(listModels());
  }

  chat(request: ChatRequest, call: Call): ChatStream {
    return new RunStream(() => this.#open(request, call));
  }

  status(): Json {
    return {
      runs_told_apart_by_id: this.#sharing.isEnabled,
      sockets: this.#connections.status(),
      dropped_events: { ...this.#drops },
      credentials: this.#pool.status(),
    };
  }

  async #open(request: ChatRequest, call: Call): Promise<OpenRun> {
    const prompt = mapRequest(request, call);
    const { id, signal } = call;
    const queued = (): Disposable => call.queued();
    const except = this.#exclusions.of(call);
    const runLease = await this.#sharing.lease(this.#pool, { id, signal, queued, except });
    const { lease } = runLease;
    const resources = new DisposableStack();
    const release = (failure?: RunFailure): unknown => {
      resources.dispose();
      using _lease = lease;
      if (!failure || signal.aborted) return failure?.error;
      lease.failed(failure.error);
      return failure.hasDelivered ? failure.error : this.#excludeCredential(lease, call, failure.error);
    };
    try {
      const run = resources.use(new Run(call, runLease.isExclusive));
      const attachment = resources.use(this.#connections.attach(lease.credential, run));
      resources.defer(() => {
        const isAbandoned = run.hasStarted && !run.hasEnded;
        if (isAbandoned && this.#sharing.lacksIds) lease.keepUntil(this.#connections.lateEvents());
      });
      await this.#prepare(prompt, { run, attachment, runLease, call });
      return { answer: new AnswerReader(run, prompt), release };
    } catch (error) {
      throw release({ error, hasDelivered: false });
    }
  }

  /** Resolves when `initiate-prompt-run` has been called, without its answer. */
  async #prepare(prompt: Prompt, { run, attachment, runLease, call }: RunStart): Promise<void> {
    const promptCall = { credential: runLease.lease.credential, prompt, signal: run.signal };
    const preparing = this.#promptRuns.promptFor(promptCall);
    // In parallel with the socket's opening; without a prompt there is no reason to wait for the socket.
    preparing.catch((error: unknown) => run.fail(error));
    await run.connected();
    call.connected();
    const reference = await preparing;
    const jobIds = this.#promptRuns.start(promptCall, run.id, reference);
    void this.#assignJobs({ run, attachment, runLease, call }, jobIds);
  }

  /**
   * Returns the error of a run that delivered nothing. If the credential is at fault, excludes it from this call and
   * marks the error as retryable with another credential while there may be one.
   */
  #excludeCredential(lease: Lease<Credential>, call: Call, error: unknown): unknown {
    if (!UpstreamError.is(error) || FAILURES[error.code].blame !== "credential") return error;
    const except = this.#exclusions.add(call, lease);
    return this.#pool.mayBecomeAvailable({ except }) ? withOtherCredential(error) : error;
  }

  /** Assigns the run's job ids once they are known; the first text can arrive before them. Never rejects. */
  async #assignJobs(
    { run, attachment, runLease }: RunStart,
    jobIds: Promise<readonly string[]>,
  ): Promise<void> {
    run.hasStarted = true;
    try {
      const ids = await jobIds;
      runLease.lease.succeeded();
      attachment.assign(ids);
    } catch (error) {
      if (UpstreamError.is(error) && NOT_STARTED.includes(error.code)) run.hasStarted = false;
      run.fail(error);
    }
  }
}
