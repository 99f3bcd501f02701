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
  /** The attempt's number within the request, from 1. */
  readonly number: number;
  readonly permit: AttemptPermit;
  readonly call: DispatchContext;
  /** Masks secrets in an upstream's or plugin's message and truncates it. */
  readonly redact: (text: string) => string;
  readonly profile: TimeoutProfile;
  /** Whether the upstream speaks the client's API: then its own words of an error are the client's. */
  readonly isNative?: boolean;
}

/** A pending operation that can be aborted. */
interface Abortable {
  abort(reason: unknown): void;
  /** The usage that the upstream has reported so far. Not optional: a renamed member must not compile. */
  readonly usage: Usage | undefined;
}

/**
 * Per-attempt context passed to a plugin: signal, deadlines, log. It ends with `ended()` or with the request: then the signal
 * is aborted, the deadlines are cleared and the target's permit is returned.
 */
export class AttemptContext implements Call, AnswerFollower {
  readonly id: string;
  readonly attempt: number;
  readonly #options: AttemptContextOptions;
  readonly #cancellation = new CancelSource<UpstreamError | GatewayError>();
  readonly #deadlines: Deadlines;
  #ignored: IgnoredParameters | undefined;
  /** True once the plugin has read the signal, which every upstream call needs. */
  #isAsked = false;
  #isQueueNoted = false;
  #log: GatewayLogger | undefined;
  /** The pending wait for the plugin. */
  #pending: Abortable | undefined;
  readonly #startedAt = performance.now();
  #isConnected: boolean;
  /** True once the attempt's usage was reported, or is tracked elsewhere. */
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

  /** The parameters ignored so far, encoded for a header. */
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
    // Plugins may pass anything, and the name goes into a header.
    (this.#ignored ??= new IgnoredParameters()).add(this.#options.redact(String(parameter)));
    this.log.debug("parameter ignored", { parameter, why });
  }

  /** Called with the answer when its first event has arrived. */
  committed(answer: AwaitedAnswer): void {
    // From now on the answer's reader tracks its usage.
    this.#isUsageReported = true;
    this.#deadlines.committed(answer);
    this.#noteQueue();
    const { profile, permit } = this.#options;
    permit.firstEvent(profile === STREAMING ? performance.now() - this.#startedAt : undefined);
  }

  /** Reports the queue time once: before the answer's headers, or at the end. */
  #noteQueue(): void {
    const { queuedMs } = this.#deadlines;
    if (queuedMs === 0 || this.#isQueueNoted) return;
    this.#isQueueNoted = true;
    this.#options.call.note({ queuedMs });
  }

  /** Called when only usage can follow. */
  finished(): void {
    this.#deadlines.finished();
  }

  /** Called when more than usage has followed after all. */
  wentOn(): void {
    this.#deadlines.wentOn();
  }

  /** Sets the operation that an abort ends. */
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

  /** Settles with the promise, or rejects with the abort's reason. One call at a time. */
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

  /** Converts whatever a plugin threw to an error for clients, with secrets masked. */
  explain(error: unknown): UpstreamError | GatewayError {
    if (error instanceof GatewayError) return error;
    const { redact, target, isNative } = this.#options;
    const { id, plugin } = target.upstream;
    // A plugin's own copy of the contract may have other codes.
    if (UpstreamError.is(error) && Object.hasOwn(FAILURES, error.code))
      return clientError(error, { upstream: id, redact, keepsWords: isNative === true });
    logUnforeseen(this.log, `the plugin ${plugin} threw what is no UpstreamError`, error);
    return new UpstreamError("bad-response", `the plugin "${plugin}" of upstream "${id}" failed`, {
      cause: error,
    });
  }

  /** Ends the attempt, successfully without `error`. Only the first call counts. */
  ended(error?: UpstreamError | GatewayError): void {
    this.#reportUsage(error);
    // Nobody needs what the upstream still does for a failed answer.
    if (error) this.#abort(error);
    this.#noteQueue();
    this.#deadlines[Symbol.dispose]();
    this.#options.call.cancellation.forget(this.#onRequestEnd);
    this.#options.permit.end(this.#outcomeOf(error));
  }

  /** Returns the outcome for the target's circuits. */
  #outcomeOf(error: UpstreamError | GatewayError | undefined): Outcome {
    if (!error) return "ok";
    // Neither a single credential's failure nor an unsupported parameter says anything about the target's health.
    if (error instanceof GatewayError || error.otherCredential) return "abandoned";
    if (FAILURES[error.code].blame === "request" && !this.#isAsked) return "unasked";
    const { code, retryAfterMs } = error;
    return code === "unsupported" ? "abandoned" : { code, retryAfterMs };
  }

  /** Reports the usage of an attempt without an answer. */
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
