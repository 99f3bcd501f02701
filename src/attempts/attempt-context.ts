import type { Call, JsonObject, Usage } from "../contract/index.ts";
import { originalBody } from "../json/source.ts";
import type { CancelToken } from "../runtime/cancel-token.ts";
import { CANCELLING } from "../runtime/cancel-token.ts";
import { FAILURES, UpstreamError } from "../contract/index.ts";
import { GatewayError } from "../errors/gateway-error.ts";
import { CancelSource } from "../runtime/cancel-source.ts";
import type { AnswerFollower } from "../answer/answer-guard.ts";
import type { GatewayLogger } from "../log.ts";
import { logUnforeseen, messageOf } from "../log.ts";
import type { DispatchContext } from "./dispatch-context.ts";
import type { Target } from "../targets/route-table.ts";
import type { Outcome } from "../targets/circuit.ts";
import type { AttemptPermit } from "../targets/attempt-permit.ts";
import type { AwaitedAnswer, TimeoutProfile } from "./deadlines.ts";
import { Deadlines, STREAMING } from "./deadlines.ts";
import { IgnoredParameters } from "./ignored-parameters.ts";
import { clientError } from "../errors/client-error.ts";

export interface AttemptContextOptions {
  readonly target: Target;
  /** 1 for the first of this request. */
  readonly number: number;
  readonly permit: AttemptPermit;
  readonly call: DispatchContext;
  /** Removes secrets from what an upstream or its plugin says, and cuts it to what is shown. */
  readonly redact: (text: string) => string;
  readonly profile: TimeoutProfile;
  /** Whether the upstream speaks the client's API: then its own words of an error are the client's. */
  readonly isNative?: boolean;
}

/** What can be left before its time, for a reason. */
interface Abortable {
  abort(reason: unknown): void;
  /** The usage that the upstream has reported so far. Not optional: a renamed member must not compile. */
  readonly usage: Usage | undefined;
}

/**
 * Per-attempt context passed to a plugin: signal, deadlines, log. It ends with `ended()`, or when the request does: then the
 * signal is aborted, the deadlines are off, and the target's permit is given back.
 */
export class AttemptContext implements Call, AnswerFollower {
  readonly id: string;
  readonly attempt: number;
  readonly #options: AttemptContextOptions;
  readonly #cancellation = new CancelSource<UpstreamError | GatewayError>();
  readonly #deadlines: Deadlines;
  #ignored: IgnoredParameters | undefined;
  /** Whether anything may have been asked of the upstream: whatever asks takes the signal, to be able to stop. */
  #isAsked = false;
  #isQueueNoted = false;
  #log: GatewayLogger | undefined;
  /** Ends the wait for what a plugin has promised. */
  #pending: Abortable | undefined;
  readonly #startedAt = performance.now();
  #isConnected: boolean;
  /** True once what was used is no longer this attempt's to tell. */
  #isUsageReported = false;

  constructor(options: AttemptContextOptions) {
    const { target, call, number, profile } = options;
    const { upstream } = target;
    this.#options = options;
    this.id = call.id;
    this.attempt = number;
    this.#isConnected = upstream.upstream.reportsConnection !== true;
    this.#deadlines = new Deadlines({
      upstream: upstream.id,
      timeouts: upstream.timeouts,
      profile,
      reportsConnection: upstream.upstream.reportsConnection === true,
      renew: () => this.#cancellation.renewable?.renew() ?? false,
      onPassed: (error) => this.#abort(error),
    });
    call.cancellation.listen(this.#onRequestEnd);
  }

  get headers(): Readonly<Record<string, string>> {
    return this.#options.call.headers;
  }

  get log(): GatewayLogger {
    const { call, target } = this.#options;
    return (this.#log ??= call.log.child({ upstream: target.upstream.id }));
  }

  get signal(): AbortSignal {
    this.#isAsked = true;
    return this.#cancellation.signal;
  }

  redact(words: string): string {
    return this.#options.redact(words);
  }

  get [CANCELLING](): CancelToken {
    this.#isAsked = true;
    return this.#cancellation;
  }

  /** The parameters that the upstream could not honour so far, as a header can hold them. */
  get ignoredNames(): readonly string[] {
    return this.#ignored?.entries() ?? [];
  }

  connected(): void {
    this.#isConnected = true;
    this.#isAsked = true;
    this.#deadlines.connected();
  }

  queued(): Disposable {
    return this.#deadlines.queued();
  }

  alive(): void {
    this.#deadlines.alive();
  }

  originalBody(body: JsonObject): Uint8Array<ArrayBuffer> | undefined {
    return originalBody(body);
  }

  ignored(parameter: string, why: string): void {
    // A plugin need not be written in TypeScript, and what stands here goes into a header.
    (this.#ignored ??= new IgnoredParameters()).add(this.#options.redact(String(parameter)));
    this.log.debug("parameter ignored", { parameter, why });
  }

  /** The first event is there; `answer` tells for how many ms the next one has been waited for. */
  committed(answer: AwaitedAnswer): void {
    // From now on the holder of the answer tracks its usage.
    this.#isUsageReported = true;
    this.#deadlines.committed(answer);
    this.#noteQueue();
    const { profile, permit } = this.#options;
    permit.firstEvent(profile === STREAMING ? performance.now() - this.#startedAt : undefined);
  }

  /** Once: before the answer's headers, or at the end. */
  #noteQueue(): void {
    const { queuedMs } = this.#deadlines;
    if (queuedMs === 0 || this.#isQueueNoted) return;
    this.#isQueueNoted = true;
    this.#options.call.note({ queuedMs });
  }

  /** Only the usage can still come. */
  finished(): void {
    this.#deadlines.finished();
  }

  /** More than the usage came after all. */
  wentOn(): void {
    this.#deadlines.wentOn();
  }

  /** From now on it is this one whose `abort` ends the wait for the upstream. */
  waitsIn(waiting: Abortable): void {
    this.#pending = waiting;
    const { reason } = this.#cancellation;
    if (reason !== undefined) waiting.abort(reason);
  }

  failedLate(error: unknown): void {
    this.log.warn("the upstream failed after its answer was complete");
    this.log.debug("upstream error after a complete answer", { error: messageOf(error) });
  }

  over(error?: unknown): UpstreamError | GatewayError | undefined {
    const failure = error === undefined ? undefined : this.explain(error);
    this.ended(failure);
    return failure;
  }

  /** The promise's outcome, or the reason of the abort as soon as there is one. One at a time. */
  orAborted<T>(promise: Promise<T>): Promise<T> {
    const cancellation = this.#cancellation;
    if (cancellation.reason !== undefined) return Promise.reject(cancellation.reason);
    return new Promise((resolve, reject) => {
      this.#pending = { abort: reject, usage: undefined };
      promise.then(
        (value) => {
          this.#pending = undefined;
          resolve(value);
        },
        (error: unknown) => reject(cancellation.reason ?? error),
      );
    });
  }

  #abort(reason: UpstreamError | GatewayError): void {
    this.#cancellation.cancel(reason);
    this.#pending?.abort(this.#cancellation.reason);
  }

  /** Whatever a plugin threw, as an error that may be shown: secrets removed, and blamed on the right one. */
  explain(error: unknown): UpstreamError | GatewayError {
    if (error instanceof GatewayError) return error;
    const { redact, target, isNative } = this.#options;
    const { id, plugin } = target.upstream;
    // A code that isn't in the table may come from a plugin's own copy of the contract.
    if (UpstreamError.is(error) && Object.hasOwn(FAILURES, error.code))
      return clientError(error, { upstream: id, redact, keepsWords: isNative === true });
    logUnforeseen(this.log, `the plugin ${plugin} threw what is no UpstreamError`, error);
    return new UpstreamError("bad-response", `the plugin "${plugin}" of upstream "${id}" failed`, {
      cause: error,
    });
  }

  /** The attempt is over; `error` undefined: well. Only the first word counts. */
  ended(error?: UpstreamError | GatewayError): void {
    this.#reportUsage(error);
    // Whatever the upstream still does for an answer that failed, it does for nobody.
    if (error) this.#abort(error);
    this.#noteQueue();
    this.#deadlines[Symbol.dispose]();
    this.#options.call.cancellation.forget(this.#onRequestEnd);
    this.#options.permit.end(this.#outcomeOf(error));
  }

  /** What an attempt's end says about its target. */
  #outcomeOf(error: UpstreamError | GatewayError | undefined): Outcome {
    if (!error) return "ok";
    // One credential's trouble says nothing about the target while another can serve, nor does what it can't do.
    if (error instanceof GatewayError || error.otherCredential) return "abandoned";
    if (FAILURES[error.code].blame === "request" && !this.#isAsked) return "unasked";
    const { code, retryAfterMs } = error;
    return code === "unsupported" ? "abandoned" : { code, retryAfterMs };
  }

  /** Of an attempt without an answer. */
  #reportUsage(error: UpstreamError | GatewayError | undefined): void {
    if (this.#isUsageReported) return;
    this.#isUsageReported = true;
    if (!error) return;
    const { call, target } = this.#options;
    const reported = this.#pending?.usage ?? {};
    const wasSent = this.#isConnected && !this.#deadlines.isQueued;
    const wasAbandoned = wasSent && (error instanceof GatewayError || error.code === "timeout");
    if (!wasAbandoned && reported.input === undefined && reported.output === undefined) return;
    call.used({ upstream: target.upstream.id, upstreamModel: target.model, reported, wasAbandoned });
  }

  readonly #onRequestEnd = (): void => {
    const { call } = this.#options;
    this.#abort(call.cancellation.reason ?? call.gone);
    this.ended(call.gone);
  };
}
