import type { UpstreamErrorCode } from "../contract/index.ts";
import { FAILURES } from "../contract/index.ts";
import type { Circuit, CircuitState, Outcome, CircuitPermit } from "./circuit.ts";
import type { Load } from "./load.ts";
import type { Target } from "./route-table.ts";

/** A circuit's change of state. */
export interface CircuitChange {
  /** `upstream/model`, or `upstream/*` for the circuit of an upstream. */
  readonly target: string;
  readonly state: CircuitState;
  /** The failure that opened it. */
  readonly cause: UpstreamErrorCode;
  /** How long it stays open, in ms. */
  readonly ms: number;
}

/** The health and load of one target. */
export interface TargetState {
  readonly circuit: Circuit;
  /** The circuit of its upstream, for failures of the credential and the connection. */
  readonly upstream: Circuit;
  readonly load: Load;
}

interface AttemptPermitOptions {
  readonly permit: CircuitPermit;
  readonly upstreamPermit: CircuitPermit;
  readonly now: () => number;
  readonly onCircuitChange: ((change: CircuitChange) => void) | undefined;
  readonly limitPermit: Disposable | undefined;
}

/**
 * Permits one attempt at a target, which counts in the circuits of target and upstream, in the load and in the upstream's
 * limits. The holder must call `end`; only the first call counts.
 */
export class AttemptPermit {
  readonly #target: Target;
  readonly #state: TargetState;
  readonly #options: AttemptPermitOptions;
  #outcome: Outcome | undefined;

  constructor(target: Target, state: TargetState, options: AttemptPermitOptions) {
    this.#target = target;
    this.#state = state;
    this.#options = options;
  }

  /** The outcome; undefined while the attempt runs. */
  get outcome(): Outcome | undefined {
    return this.#outcome;
  }

  /** Reports the first event, after `ms` if a stream was asked for. */
  firstEvent(ms?: number): void {
    const { circuit, upstream, load } = this.#state;
    const { permit, upstreamPermit, now } = this.#options;
    const at = now();
    const before = circuit.state(at);
    const upstreamBefore = upstream.state(at);
    permit.answered();
    upstreamPermit.answered();
    this.#reportChange(circuit, before, at);
    this.#reportChange(upstream, upstreamBefore, at);
    if (ms !== undefined) load.recordFirstEvent(ms, at);
  }

  end(outcome: Outcome): void {
    if (this.#outcome !== undefined) return;
    this.#outcome = outcome;
    const { circuit, upstream, load } = this.#state;
    const { permit, upstreamPermit, now, limitPermit } = this.#options;
    limitPermit?.[Symbol.dispose]();
    load.end();
    const at = now();
    const before = circuit.state(at);
    const upstreamBefore = upstream.state(at);
    const isOfUpstream = typeof outcome === "object" && concernsUpstream(outcome.code);
    permit.ended(isOfUpstream ? "abandoned" : outcome, at);
    upstreamPermit.ended(isOfUpstream ? outcome : connectionOutcome(outcome), at);
    this.#reportChange(circuit, before, at);
    this.#reportChange(upstream, upstreamBefore, at);
  }

  /** Reports a circuit whose state has changed. */
  #reportChange(circuit: Circuit, before: CircuitState, now: number): void {
    const state = circuit.state(now);
    if (state === before) return;
    const { upstream } = this.#target;
    const target = circuit === this.#state.upstream ? `${upstream.id}/*` : targetName(this.#target);
    this.#options.onCircuitChange?.({
      target,
      state,
      cause: circuit.cause,
      ms: Math.round(circuit.wait(now)),
    });
  }
}

/** Returns the outcome for the upstream's circuit: any answer, also a failure, proves the connection. */
function connectionOutcome(outcome: Outcome): Outcome {
  if (typeof outcome !== "object") return outcome;
  return outcome.code === "timeout" ? "abandoned" : "ok";
}

/** Returns whether a failure concerns all targets of an upstream. A rate limit may be one model's own. */
export function concernsUpstream(code: UpstreamErrorCode): boolean {
  const { blame } = FAILURES[code];
  return (blame === "credential" && code !== "rate-limited") || blame === "connection";
}

/** Returns `upstream/model`, as clients address a target. */
export function targetName({ upstream, model }: Target): string {
  return `${upstream.id}/${model}`;
}
