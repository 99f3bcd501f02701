import { FAILURES, UpstreamError } from "modelyard/plugin";
import type { Call, ChatRequest, ChatStream, Host, Json, Model, Upstream } from "modelyard/plugin";
import { credentialPool, Refusals, withOtherCredential } from "modelyard/credentials";
import type { CredentialPool, Lease } from "modelyard/credentials";
import { systemClock } from "modelyard/kit";
import type { Clock } from "modelyard/kit";
import { Answer } from "./run/answer.ts";
import { Auth } from "./auth/gotrue.ts";
import { CONNECTION_TIMES } from "./socket/connection.ts";
import type { ConnectionTimes } from "./socket/connection.ts";
import { Connections } from "./socket/connections.ts";
import type { Seat } from "./socket/connections.ts";
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
import type { Failure, OpenRun } from "./run/run-stream.ts";
import { Sharing } from "./auth/sharing.ts";
import type { Loan } from "./auth/sharing.ts";
import { Supabase } from "./auth/supabase.ts";
import { newTally } from "./socket/event-demux.ts";

/** How many executions that are over are remembered. */
const REMEMBERED_EXECUTIONS = 10_000;

/** What tests hold in their own hands. */
export interface Timing {
  readonly clock: Clock;
  readonly times: ConnectionTimes;
}

/** The errors by which the service says that it began no run. */
const NOT_BEGUN = [
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

/** What a run is begun with. */
interface Beginning {
  readonly run: Run;
  readonly seat: Seat;
  readonly loan: Loan;
  readonly call: Call;
}

/** The langfa.st prompt runner as an upstream. */
export class Langfast implements Upstream {
  readonly reportsConnection = true;
  readonly alwaysStreams = true;
  readonly #tally = newTally();
  readonly #sharing = new Sharing();
  readonly #refused = new Refusals();
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
      tally: this.#tally,
      over: new RecentIds(REMEMBERED_EXECUTIONS),
    });
    const source = credentialSource(new Auth(supabase, clock), options, (id) => connections.retire(id));
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
      runs_told_apart_by_id: this.#sharing.isProven,
      sockets: this.#connections.status(),
      dropped_events: { ...this.#tally },
      credentials: this.#pool.status(),
    };
  }

  async #open(request: ChatRequest, call: Call): Promise<OpenRun> {
    const prompt = mapRequest(request, call);
    const { id, signal } = call;
    const queued = (): Disposable => call.queued();
    const except = this.#refused.of(call);
    const loan = await this.#sharing.lease(this.#pool, { id, signal, queued, except });
    const { lease } = loan;
    const held = new DisposableStack();
    const over = (failure?: Failure): unknown => {
      held.dispose();
      using _lease = lease;
      if (!failure || signal.aborted) return failure?.error;
      lease.failed(failure.error);
      return failure.hasSpoken ? failure.error : this.#blamed(lease, call, failure.error);
    };
    try {
      const run = held.use(new Run(call, loan.isExclusive));
      const seat = held.use(this.#connections.join(lease.credential, run));
      await this.#begin(prompt, { run, seat, loan, call });
      return { answer: new Answer(run, prompt), over };
    } catch (error) {
      throw over({ error, hasSpoken: false });
    }
  }

  /** Resolves when the upstream has been asked to begin the run. */
  async #begin(prompt: Prompt, { run, seat, loan, call }: Beginning): Promise<void> {
    const promptCall = { credential: loan.lease.credential, prompt, signal: run.signal };
    const preparing = this.#promptRuns.promptFor(promptCall);
    // While the socket opens; if the prompt can't be had, there is nothing to wait for.
    preparing.catch((error: unknown) => run.fail(error));
    await run.connected();
    call.connected();
    const reference = await preparing;
    const initiate = (): Promise<readonly string[]> =>
      this.#promptRuns.initiate(promptCall, run.id, reference);
    void this.#initiate(run, seat, { initiate, loan });
  }

  /** A failure before the first word; if the credential is to blame, it says whether another could do better. */
  #blamed(lease: Lease<Credential>, call: Call, error: unknown): unknown {
    if (!UpstreamError.is(error) || FAILURES[error.code].blame !== "credential") return error;
    const except = this.#refused.add(call, lease);
    return this.#pool.mayBecomeAvailable({ except }) ? withOtherCredential(error) : error;
  }

  /** Its answer isn't waited for: the first text can come before it. Never rejects. */
  async #initiate(
    run: Run,
    seat: Seat,
    { initiate, loan }: { initiate: () => Promise<readonly string[]>; loan: Loan },
  ): Promise<void> {
    run.hasBegun = true;
    try {
      const ids = await initiate();
      loan.lease.succeeded();
      seat.claim(ids);
    } catch (error) {
      if (UpstreamError.is(error) && NOT_BEGUN.includes(error.code)) run.hasBegun = false;
      run.fail(error);
    }
  }
}
