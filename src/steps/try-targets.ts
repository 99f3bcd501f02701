import type { UpstreamErrorCode } from "../contract/index.ts";
import { FAILURES, UpstreamError } from "../contract/index.ts";
import { RequestError } from "../dialects/request-error.ts";
import { pause } from "../flow/pause.ts";
import type { Errand } from "../state/errand.ts";
import type { Gateway } from "../state/gateway.ts";
import type { Slot } from "../state/rate-limiter.ts";
import type { Target } from "../state/route-table.ts";
import type { Visit } from "../state/target-states.ts";
import type { RequestEstimate } from "../state/token-estimate.ts";
import type { Plan } from "./route.ts";
import { takeUpstreamSlot } from "./upstream-slot.ts";

/** A client would rather come back by itself than wait longer than this for another try. */
const LONGEST_WAIT_MS = 5_000;

/** Failures after which the same target is worth another try. A deadline that passed is not among them, nor is nonsense. */
const PASSING: ReadonlySet<UpstreamErrorCode> = new Set(["unavailable", "failed", "truncated"]);

/** Of several failures the client gets the one that says most: these say less than all others, the first least. */
const LEAST_TELLING: readonly UpstreamErrorCode[] = ["unsupported", "no-such-model", "no-credential"];

/** One try of one target. Whoever gets it says by `visit` how it ended. */
export interface Try {
  readonly target: Target;
  /** How many calls to upstreams this request has made, this one included. */
  readonly number: number;
  readonly visit: Visit;
  /** What it has taken of the upstream's limits, where it has any. The end of the visit gives it back. */
  readonly slot: Slot | undefined;
}

interface Again {
  readonly target: Target;
  /** By the age of the request, in ms. */
  readonly notBefore: number;
}

/**
 * Tries a plan's targets until `run` returns: each once, in order, and then those again that failed in
 * passing, after a growing pause, within the attempts of one request and the retry budget of the upstream.
 * Targets whose circuit is open are passed over. Rejects with the failure that says most.
 */
export function tryTargets<T>(plan: Plan, around: Around, run: (attempt: Try) => Promise<T>): Promise<T> {
  return new Tries(plan, around).until(run);
}

interface Around {
  readonly call: Errand;
  readonly gateway: Gateway;
  /** What the request may need of an upstream's tokens; asked only where those are limited. */
  readonly needed: () => RequestEstimate;
}

class Tries {
  readonly #plan: Plan;
  readonly #call: Errand;
  readonly #gateway: Gateway;
  /** How many of the plan's targets had their turn. */
  #turn = 0;
  // Nearly all requests need none of the following.
  #again: Again[] | undefined;
  /** The upstreams that have failed this request, and not because of what it asks. */
  #failed: Set<string> | undefined;
  /** When a target said that it may be asked again, by the age of the request; Infinity: it can't serve this one. */
  #told: Map<Target, number> | undefined;
  /** Targets whose upstream is at the limits that gateway.yaml sets it. */
  #limited: Set<Target> | undefined;
  readonly #needed: () => RequestEstimate;
  #calls = 0;
  #failure: UpstreamError | undefined;

  constructor(plan: Plan, { call, gateway, needed }: Around) {
    this.#plan = plan;
    this.#call = call;
    this.#gateway = gateway;
    this.#needed = needed;
  }

  async until<T>(run: (attempt: Try) => Promise<T>): Promise<T> {
    for (;;) {
      this.#call.cancellation.throwIfCancelled();
      const next = this.#first() ?? (await this.#retry());
      if (!next) throw this.#verdict();
      const { upstream, model: upstreamModel } = next.target;
      this.#call.note({ upstream: upstream.id, upstreamModel, attempts: next.number });
      try {
        return await run(next);
      } catch (error) {
        this.#note(next.target, error);
      }
    }
  }

  /** The next target that this request hasn't been to. */
  #first(): Try | undefined {
    while (this.#calls < this.#gateway.retry.attempts) {
      const target = this.#plan.targets[this.#turn++];
      if (!target) return undefined;
      const attempted = this.#mayCall(target) ? this.#enter(target) : undefined;
      if (attempted) return attempted;
    }
    return undefined;
  }

  /** The target that is soonest worth another try, after its pause. */
  async #retry(): Promise<Try | undefined> {
    const again = this.#again ?? [];
    again.sort((a, b) => a.notBefore - b.notBefore);
    for (let next = again.shift(); next; next = again.shift()) {
      const wait = next.notBefore - this.#call.age;
      if (this.#calls >= this.#gateway.retry.attempts || wait > LONGEST_WAIT_MS) continue;
      // Neither a circuit that is open for longer nor a spent budget is worth the pause.
      if (this.#gateway.targets.wait(next.target) > Math.max(wait, 0)) continue;
      if (!this.#gateway.targets.mayRetry(next.target.upstream.id)) continue;
      await pause(wait, this.#call.cancellation);
      const attempted = this.#enter(next.target);
      if (attempted) return attempted;
    }
    return undefined;
  }

  /** Whether a target can be gone to now: its circuit lets it, and it is a first try or within the budget of retries. */
  #mayCall(target: Target): boolean {
    const { targets } = this.#gateway;
    const { id } = target.upstream;
    if (targets.wait(target) > 0) return false;
    // An upstream that has failed is tried again also by another model of it.
    if (this.#failed?.has(id)) return targets.mayRetry(id);
    targets.called(id);
    return true;
  }

  #enter(target: Target): Try | undefined {
    const slot = takeUpstreamSlot(target.upstream, this.#needed, this.#gateway);
    if (slot && "limit" in slot) {
      (this.#limited ??= new Set()).add(target);
      this.#tell(target, this.#call.age + (slot.retryAfterMs ?? Infinity));
      return undefined;
    }
    const visit = this.#gateway.targets.enter(target);
    if (!visit) slot?.[Symbol.dispose]();
    return visit && { target, slot, number: ++this.#calls, visit: slot ? releasing(slot, visit) : visit };
  }

  /** Notes a failure; throws it when no other target could do better. */
  #note(target: Target, error: unknown): void {
    if (!UpstreamError.is(error)) throw error;
    this.#failure = moreTelling(this.#failure, error);
    if (error.code === "unsupported") this.#calls -= 1;
    else this.#report(target, error);
    if (!this.#mayGoOn(error)) throw error;
    const { blame } = FAILURES[error.code];
    const hopeless = blame === "client" || blame === "route";
    this.#tell(target, hopeless ? Infinity : this.#call.age + (error.retryAfterMs ?? 0));
    if (!hopeless) (this.#failed ??= new Set()).add(target.upstream.id);
    const notBefore = this.#worthAgain(target, error);
    if (notBefore !== undefined) (this.#again ??= []).push({ target, notBefore });
  }

  #tell(target: Target, comeBack: number): void {
    (this.#told ??= new Map()).set(target, comeBack);
  }

  #mayGoOn(error: UpstreamError): boolean {
    if (error.code === "context-length") return this.#plan.onContextLength === "next";
    return FAILURES[error.code].mayTryNext;
  }

  /** When the same target may be tried again, by the age of the request. */
  #worthAgain(target: Target, error: UpstreamError): number | undefined {
    const { age } = this.#call;
    if (age > target.upstream.timeouts.total) return undefined;
    if (error.otherCredential) return age;
    if (!PASSING.has(error.code)) return undefined;
    const backoff = this.#gateway.retry.backoff * 2 ** (this.#calls - 1) * (0.5 + Math.random() / 2);
    return age + Math.max(backoff, error.retryAfterMs ?? 0);
  }

  #report({ upstream }: Target, { code, message }: UpstreamError): void {
    this.#call.log.warn("an upstream did not answer", { upstream: upstream.id, code });
    // Its own words may repeat the client's.
    this.#call.log.debug("what the upstream said", { upstream: upstream.id, error: message });
  }

  /** What the client gets when nothing is left to try. */
  #verdict(): UpstreamError | RequestError {
    const waits = this.#plan.targets.map((target) => this.#wait(target));
    const soonest = Math.min(...waits);
    if (this.#failure) return withRetryAfter(this.#failure, soonest);
    // Nothing but a limit that the request can never come under says so without a failure.
    if (soonest === Infinity) return tooLarge(this.#plan.asked, this.#needed());
    const target = this.#plan.targets[waits.indexOf(soonest)];
    const limited =
      target &&
      (this.#limited?.has(target) || this.#gateway.targets.of(target).circuit.cause === "rate-limited");
    const message = limited
      ? `every upstream for "${this.#plan.asked}" is at its rate limit`
      : `every upstream for "${this.#plan.asked}" has failed of late and is being rested`;
    const code = limited ? "rate_limit_exceeded" : "upstream_unavailable";
    return new RequestError(code, message, { retryAfterMs: soonest });
  }

  /** Milliseconds until a target may be worth asking again, as it said itself or as its circuit is open. */
  #wait(target: Target): number {
    const told = (this.#told?.get(target) ?? 0) - this.#call.age;
    return Math.max(told, this.#gateway.targets.wait(target));
  }
}

function tooLarge(asked: string, { input, output, outputAsked }: RequestEstimate): RequestError {
  const message = `the request may need ${input + output} tokens, more than any upstream for "${asked}" may be asked for in a whole minute; ask for a smaller max_tokens, or make the prompt shorter`;
  return new RequestError("invalid_value", message, { param: outputAsked ? "max_tokens" : "messages" });
}

/** A visit at whose end the slot is free. */
function releasing(slot: Slot, visit: Visit): Visit {
  return {
    answered: (ms) => visit.answered(ms),
    ended: (outcome) => {
      slot[Symbol.dispose]();
      visit.ended(outcome);
    },
  };
}

/** That one upstream can't do something says less than that another, which can, is down. */
function moreTelling(before: UpstreamError | undefined, now: UpstreamError): UpstreamError {
  return before && telling(now) < telling(before) ? before : now;
}

function telling({ code }: UpstreamError): number {
  const place = LEAST_TELLING.indexOf(code);
  return place < 0 ? LEAST_TELLING.length : place;
}

/** A 429 or 503 says when to come back: when the first of the targets may be asked again. */
function withRetryAfter(error: UpstreamError, wait: number): UpstreamError | RequestError {
  const { wire, status } = FAILURES[error.code];
  if (status !== 429 && status !== 503) return error;
  const retryAfterMs = wait > 0 && wait < Infinity ? wait : undefined;
  return new RequestError(wire, error.message, { cause: error, param: error.param, retryAfterMs });
}
