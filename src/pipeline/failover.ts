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

/** A client would rather come back by itself than wait longer than this for another try. */
const LONGEST_WAIT_MS = 5_000;

/** Failures after which the same target is worth another try. A deadline that passed is not among them, nor is nonsense. */
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
 * Tries a plan's targets until an attempt succeeds: each once, in order, and then those again that failed in
 * passing, after a growing pause, within the attempts of one request and the retry budget of the upstream.
 * Targets whose circuit is open are passed over, and so are an upstream's other targets after a failure that concerns
 * all of them. Where nothing else is left, the one that rests for the shortest time is asked all the same, if not too
 * many ask it at once. Rejects with the failure that says most.
 */
export abstract class FailoverLoop<R extends ModelRequest, Content> {
  protected readonly request: R;
  /** On whose behalf the upstreams are asked. */
  protected readonly call: DispatchContext;
  protected readonly gateway: Gateway;
  readonly #plan: Plan<R>;
  /** How many of the plan's targets had their turn. */
  #next = 0;
  // Nearly all requests need none of the following.
  #pendingRetries: PendingRetry[] | undefined;
  /** The upstreams that have failed this request, and not because of what it asks. */
  #failed: Set<string> | undefined;
  /** When a target said that it may be asked again, by the age of the request; Infinity: it can't serve this one. */
  #retryAt: Map<Target, number> | undefined;
  /** Targets whose upstream is at the limits that gateway.yaml sets it. */
  #limited: Set<Target> | undefined;
  /** Targets that this request was at. */
  #tried: Set<Target> | undefined;
  /** Upstreams none of whose targets can serve this request, by what one of them said. */
  #failedUpstreams: Set<string> | undefined;
  /** Whether a target that rests was asked because nothing else was left. */
  #isLastResort = false;
  #calls = 0;
  #failure: ReportedFailure | undefined;

  /** `request` is what targets are asked for, where that is not all of the plan's. */
  constructor(plan: Plan<R>, call: DispatchContext, request: R = plan.request) {
    this.request = request;
    this.call = call;
    this.gateway = plan.exchange.gateway;
    this.#plan = plan;
  }

  /** Asks one target. Says by the attempt's permit how it ended. */
  protected abstract attempt(attempt: Attempt): Promise<Answer<Content>>;

  /** What the request may need of an upstream's tokens. */
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

  /** The next target that this request hasn't been to. */
  #first(): Attempt | undefined {
    while (this.#calls < this.gateway.retry.attempts) {
      const target = this.#plan.targets[this.#next++];
      if (!target) return undefined;
      const attempted = this.#mayCall(target) ? this.#enter(target) : undefined;
      if (attempted) return attempted;
    }
    return undefined;
  }

  /** The target that is soonest worth another try, after its pause. */
  async #retry(): Promise<Attempt | undefined> {
    const retries = this.#pendingRetries ?? [];
    retries.sort((a, b) => a.notBefore - b.notBefore);
    for (let next = retries.shift(); next; next = retries.shift()) {
      const wait = next.notBefore - this.call.age;
      if (this.#calls >= this.gateway.retry.attempts || wait > LONGEST_WAIT_MS) continue;
      // Neither a circuit that is open for longer nor a spent budget is worth the pause.
      if (this.gateway.targets.wait(next.target) > Math.max(wait, 0)) continue;
      if (!this.gateway.targets.takeRetry(next.target.upstream.id)) continue;
      await pause(wait, this.call.cancellation);
      const attempted = this.#enter(next.target);
      if (attempted) return attempted;
    }
    return undefined;
  }

  /** The target that rests for the shortest time, once: an answer is likelier from there than from nobody. */
  #lastResort(): Attempt | undefined {
    if (this.#isLastResort || this.#calls >= this.gateway.retry.attempts) return undefined;
    this.#isLastResort = true;
    const { targets } = this.gateway;
    const resting = this.#plan.targets.filter(
      (target) =>
        !this.#tried?.has(target) &&
        !this.#limited?.has(target) &&
        !this.#failedUpstreams?.has(target.upstream.id),
    );
    const [soonest] = resting.sort((one, other) => targets.wait(one) - targets.wait(other));
    if (!soonest) return undefined;
    const { id } = soonest.upstream;
    if (!this.#failed?.has(id)) targets.recordCall(id);
    else if (!targets.takeRetry(id)) return undefined;
    return this.#enter(soonest);
  }

  /** Whether a target can be gone to now: its circuit lets it, and it is a first try or within the budget of retries. */
  #mayCall(target: Target): boolean {
    const { targets } = this.gateway;
    const { id } = target.upstream;
    if (this.#failedUpstreams?.has(id) || targets.wait(target) > 0) return false;
    // An upstream that has failed is tried again also by another model of it.
    if (this.#failed?.has(id)) return targets.takeRetry(id);
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
      upstream: this.#failed?.has(target.upstream.id) ?? false,
    };
    const entry = { isRepeat, isLastResort: this.#isLastResort, body: this.#body, limitPermit };
    const permit = this.gateway.targets.enter(target, entry);
    if (!permit) limitPermit?.[Symbol.dispose]();
    return permit && { target, limitPermit, number: ++this.#calls, permit };
  }

  /** Tells request bodies apart. */
  readonly #body = (): number | bigint => this.request.hash();

  /** Notes a failure; throws it when no other target could do better. */
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
    if (!isHopeless) (this.#failed ??= new Set()).add(id);
    const notBefore = this.#retryAtAge(target, error);
    if (notBefore !== undefined) (this.#pendingRetries ??= []).push({ target, notBefore });
    (this.#tried ??= new Set()).add(target);
    if (concernsUpstream(error.code) && !error.otherCredential) this.#giveUpUpstream(id, error);
  }

  /** None of an upstream's other targets need be asked. */
  #giveUpUpstream(id: string, { retryAfterMs = 0 }: UpstreamError): void {
    (this.#failedUpstreams ??= new Set()).add(id);
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

  /** When the same target may be tried again, by the age of the request. */
  #retryAtAge(target: Target, error: UpstreamError): number | undefined {
    const { age } = this.call;
    if (age > target.upstream.timeouts.total) return undefined;
    if (error.otherCredential) return age;
    if (!RETRIABLE.has(error.code)) return undefined;
    // What the model makes of a request twice it is likely to make of it again.
    if (error.code === "model-failed" && this.#tried?.has(target)) return undefined;
    const backoff = this.gateway.retry.backoff * 2 ** (this.#calls - 1) * (0.5 + Math.random() / 2);
    return age + Math.max(backoff, error.retryAfterMs ?? 0);
  }

  #report({ upstream }: Target, { code, status, message, detail }: UpstreamError): void {
    this.call.log.warn("upstream attempt failed", {
      upstream: upstream.id,
      code,
      status,
      // Where it is the connection that failed. What an upstream says, or a body, may repeat the client's words.
      ...(FAILURES[code].blame === "connection" && { said: detail }),
    });
    this.call.log.debug("upstream error message", { upstream: upstream.id, error: message, detail });
  }

  /** What the client gets when nothing is left to try. */
  #verdict(): GatewayError {
    const waits = this.#plan.targets.map((target) => this.#wait(target));
    const soonest = Math.min(...waits);
    if (this.#failure) return forClient(this.#failure, soonest);
    // Nothing but a limit that the request can never come under says so without a failure.
    if (soonest === Infinity) return tooLarge(this.request.model, this.needed());
    const target = this.#plan.targets[waits.indexOf(soonest)];
    const cause = target && !this.#limited?.has(target) ? this.gateway.targets.cause(target) : "rate-limited";
    return whileCircuitsOpen(this.request.model, cause, soonest);
  }

  /** Milliseconds until a target may be worth asking again, as it said itself or as its circuit is open. */
  #wait(target: Target): number {
    const told = (this.#retryAt?.get(target) ?? 0) - this.call.age;
    return Math.max(told, this.gateway.targets.wait(target));
  }
}
