import type { Answer } from "../attempts/answer.ts";
import type { Attempt } from "../attempts/attempt.ts";
import type { ModelRequest } from "../dialects/model-request.ts";
import type { UpstreamErrorCode } from "../contract/index.ts";
import { FAILURES, UpstreamError } from "../contract/index.ts";
import type { GatewayError } from "../errors/gateway-error.ts";
import { ofUpstream } from "../errors/gateway-error.ts";
import { pause } from "../runtime/pause.ts";
import type { DispatchContext } from "../attempts/dispatch-context.ts";
import type { Gateway } from "../gateway.ts";
import type { Target } from "../targets/route-table.ts";
import { concernsUpstream } from "../targets/attempt-permit.ts";
import type { RequestEstimate } from "../usage/token-estimate.ts";
import { estimateRequest } from "../usage/token-estimate.ts";
import { outputBounds } from "../usage/output-bounds.ts";
import type { Plan } from "./admission/route.ts";
import { takeUpstreamPermit } from "../attempts/upstream-permit.ts";
import type { ReportedFailure } from "../attempts/verdict.ts";
import {
  forClient,
  moreInformative,
  informativeness,
  tooLarge,
  whileCircuitsOpen,
} from "../attempts/verdict.ts";

/** Longest pause before a retry, in ms; for longer ones the client gets a retry-after. */
const LONGEST_WAIT_MS = 5_000;

/** Failures after which the same target is retried; not timeouts and bad responses. */
const RETRIABLE: ReadonlySet<UpstreamErrorCode> = new Set([
  "unreachable",
  "unavailable",
  "failed",
  "model-failed",
  "truncated",
]);

interface PendingRetry {
  readonly target: Target;
  /** By the age of the request, in ms. */
  readonly notBefore: number;
}

/**
 * Tries a plan's targets until an attempt succeeds: each once, in order, then those with retriable failures again, with
 * backoff, within the request's attempts and the upstream's retry budget. Skips targets with an open circuit, and an
 * upstream's other targets after a failure that concerns all of them. As a last resort it tries the target whose circuit
 * closes soonest. Rejects with the most informative failure.
 */
export abstract class FailoverLoop<R extends ModelRequest, Content> {
  protected readonly request: R;
  /** On whose behalf upstreams are called. */
  protected readonly call: DispatchContext;
  protected readonly gateway: Gateway;
  readonly #plan: Plan<R>;
  /** Index of the plan's next target. */
  #next = 0;
  // Created when needed, which is rare.
  #pendingRetries: PendingRetry[] | undefined;
  /** Upstreams that failed this request for reasons of their own. */
  #failedUpstreams: Set<string> | undefined;
  /** When each target may be tried again, by the age of the request; Infinity: it can't serve it. */
  #retryAt: Map<Target, number> | undefined;
  /** Targets whose upstream is at its configured limits. */
  #limited: Set<Target> | undefined;
  /** Targets that were tried. */
  #tried: Set<Target> | undefined;
  /** Upstreams with a failure that concerns all of their targets. */
  #skippedUpstreams: Set<string> | undefined;
  /** True once the last resort was taken. */
  #triedLastResort = false;
  #calls = 0;
  #failure: ReportedFailure | undefined;

  /** `request` is what targets are asked for, where that is not all of the plan's. */
  constructor(plan: Plan<R>, call: DispatchContext, request: R = plan.request) {
    this.request = request;
    this.call = call;
    this.gateway = plan.exchange.gateway;
    this.#plan = plan;
  }

  /** Makes one attempt, which must end the attempt's permit. */
  protected abstract attempt(attempt: Attempt): Promise<Answer<Content>>;

  /** Returns the request's token estimate. */
  protected needed(): RequestEstimate {
    return estimateRequest(this.request, outputBounds(this.#plan.targets, this.gateway));
  }

  async run(): Promise<Answer<Content>> {
    for (;;) {
      this.call.cancellation.throwIfCancelled();
      const next = this.#first() ?? (await this.#retry()) ?? this.#lastResort();
      if (!next) throw this.#verdict();
      const { upstream, model: upstreamModel } = next.target;
      this.call.note({ upstream: upstream.id, upstreamModel, attempts: next.number });
      try {
        return await this.attempt(next);
      } catch (error) {
        this.#note(next, error);
      }
    }
  }

  /** Returns an attempt at the next untried target. */
  #first(): Attempt | undefined {
    while (this.#calls < this.gateway.retry.attempts) {
      const target = this.#plan.targets[this.#next++];
      if (!target) return undefined;
      const attempted = this.#mayCall(target) ? this.#enter(target) : undefined;
      if (attempted) return attempted;
    }
    return undefined;
  }

  /** Returns an attempt at the target that may be retried soonest, after its pause. */
  async #retry(): Promise<Attempt | undefined> {
    const retries = this.#pendingRetries ?? [];
    retries.sort((a, b) => a.notBefore - b.notBefore);
    for (let next = retries.shift(); next; next = retries.shift()) {
      const wait = next.notBefore - this.call.age;
      if (this.#calls >= this.gateway.retry.attempts || wait > LONGEST_WAIT_MS) continue;
      // Don't pause for a circuit that stays open longer, or without retry budget.
      if (this.gateway.targets.wait(next.target) > Math.max(wait, 0)) continue;
      if (!this.gateway.targets.takeRetry(next.target.upstream.id)) continue;
      await pause(wait, this.call.cancellation);
      const attempted = this.#enter(next.target);
      if (attempted) return attempted;
    }
    return undefined;
  }

  /** Returns, once, an attempt at the untried target whose circuit closes soonest. */
  #lastResort(): Attempt | undefined {
    if (this.#triedLastResort || this.#calls >= this.gateway.retry.attempts) return undefined;
    this.#triedLastResort = true;
    const { targets } = this.gateway;
    const resting = this.#plan.targets.filter(
      (target) =>
        !this.#tried?.has(target) &&
        !this.#limited?.has(target) &&
        !this.#skippedUpstreams?.has(target.upstream.id),
    );
    const [soonest] = resting.sort((one, other) => targets.wait(one) - targets.wait(other));
    if (!soonest) return undefined;
    const { id } = soonest.upstream;
    if (!this.#failedUpstreams?.has(id)) targets.recordCall(id);
    else if (!targets.takeRetry(id)) return undefined;
    return this.#enter(soonest);
  }

  /** Returns whether a target may be called now, by its circuits and, after a failure, by the retry budget. */
  #mayCall(target: Target): boolean {
    const { targets } = this.gateway;
    const { id } = target.upstream;
    if (this.#skippedUpstreams?.has(id) || targets.wait(target) > 0) return false;
    // After a failure another model of the upstream counts as a retry.
    if (this.#failedUpstreams?.has(id)) return targets.takeRetry(id);
    targets.recordCall(id);
    return true;
  }

  #enter(target: Target): Attempt | undefined {
    const limitPermit = takeUpstreamPermit(
      target.upstream,
      () => this.needed(),
      this.gateway.upstreamLimiter,
    );
    if (limitPermit && "limit" in limitPermit) {
      (this.#limited ??= new Set()).add(target);
      this.#noteRetryAt(target, this.call.age + (limitPermit.retryAfterMs ?? Infinity));
      return undefined;
    }
    const isRepeat = {
      target: this.#tried?.has(target) ?? false,
      upstream: this.#failedUpstreams?.has(target.upstream.id) ?? false,
    };
    const entry = { isRepeat, isLastResort: this.#triedLastResort, body: this.#body, limitPermit };
    const permit = this.gateway.targets.enter(target, entry);
    if (!permit) limitPermit?.[Symbol.dispose]();
    return permit && { target, limitPermit, number: ++this.#calls, permit };
  }

  /** Returns the hash of the request body. */
  readonly #body = (): number | bigint => this.request.hash();

  /** Records a failure; throws it if no other target may be tried. */
  #note({ target, permit }: Attempt, error: unknown): void {
    if (!UpstreamError.is(error)) throw error;
    const { id } = target.upstream;
    const isUnasked = permit.outcome === "unasked";
    this.#failure = moreInformative(this.#failure, {
      error,
      from: id,
      informativeness: informativeness(error, isUnasked),
    });
    if (error.code === "unsupported" || isUnasked) this.#calls -= 1;
    else this.#report(target, error);
    if (!isUnasked && !this.#mayGoOn(error)) throw ofUpstream(error, { from: id });
    const isHopeless = FAILURES[error.code].blame === "request" || error.code === "no-such-model";
    this.#noteRetryAt(target, isHopeless ? Infinity : this.call.age + (error.retryAfterMs ?? 0));
    if (!isHopeless) (this.#failedUpstreams ??= new Set()).add(id);
    const notBefore = this.#retryAtAge(target, error);
    if (notBefore !== undefined) (this.#pendingRetries ??= []).push({ target, notBefore });
    (this.#tried ??= new Set()).add(target);
    if (concernsUpstream(error.code) && !error.otherCredential) this.#giveUpUpstream(id, error);
  }

  /** Excludes an upstream's other targets. */
  #giveUpUpstream(id: string, { retryAfterMs = 0 }: UpstreamError): void {
    (this.#skippedUpstreams ??= new Set()).add(id);
    for (const target of this.#plan.targets) {
      if (target.upstream.id === id && !this.#retryAt?.has(target))
        this.#noteRetryAt(target, this.call.age + retryAfterMs);
    }
  }

  #noteRetryAt(target: Target, comeBack: number): void {
    (this.#retryAt ??= new Map()).set(target, comeBack);
  }

  #mayGoOn(error: UpstreamError): boolean {
    if (error.code === "context-length") return this.#plan.onContextLength === "next";
    return FAILURES[error.code].mayTryNext;
  }

  /** Returns when the same target may be retried, by the age of the request; undefined: never. */
  #retryAtAge(target: Target, error: UpstreamError): number | undefined {
    const { age } = this.call;
    if (age > target.upstream.timeouts.total) return undefined;
    if (error.otherCredential) return age;
    if (!RETRIABLE.has(error.code)) return undefined;
    // A model that failed twice on a request is likely to fail again.
    if (error.code === "model-failed" && this.#tried?.has(target)) return undefined;
    const backoff = this.gateway.retry.backoff * 2 ** (this.#calls - 1) * (0.5 + Math.random() / 2);
    return age + Math.max(backoff, error.retryAfterMs ?? 0);
  }

  #report({ upstream }: Target, { code, status, message, detail }: UpstreamError): void {
    this.call.log.warn("upstream attempt failed", {
      upstream: upstream.id,
      code,
      status,
      // Only for connection failures: other messages may repeat the client's text.
      ...(FAILURES[code].blame === "connection" && { said: detail }),
    });
    this.call.log.debug("upstream error message", { upstream: upstream.id, error: message, detail });
  }

  /** Returns the client's error after all attempts. */
  #verdict(): GatewayError {
    const waits = this.#plan.targets.map((target) => this.#wait(target));
    const soonest = Math.min(...waits);
    if (this.#failure) return forClient(this.#failure, soonest);
    // Without a failure and a wait, the request exceeds every limit.
    if (soonest === Infinity) return tooLarge(this.request, this.needed());
    const target = this.#plan.targets[waits.indexOf(soonest)];
    const cause = target && !this.#limited?.has(target) ? this.gateway.targets.cause(target) : "rate-limited";
    return whileCircuitsOpen(this.request.model, cause, soonest);
  }

  /** Returns the ms until a target may be tried again, by its retry-after and its circuits. */
  #wait(target: Target): number {
    const asked = (this.#retryAt?.get(target) ?? 0) - this.call.age;
    return Math.max(asked, this.gateway.targets.wait(target));
  }
}
