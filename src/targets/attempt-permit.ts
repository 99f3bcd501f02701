import type { UpstreamErrorCode } from "../contract/index.ts";
import { FAILURES } from "../contract/index.ts";
import type { Circuit, CircuitState, Outcome, CircuitPermit } from "./circuit.ts";
import type { Load } from "./load.ts";
import type { Target } from "./route-table.ts";

export interface CircuitChange {
  /** `upstream/model`, or `upstream/*` for the circuit of a whole upstream. */
  readonly target: string;
  readonly state: CircuitState;
  /** Why it opened. */
  readonly cause: UpstreamErrorCode;
  /** For how long it is open. */
  readonly ms: number;
}

/** What the gateway has seen of one target. */
export interface TargetState {
  readonly circuit: Circuit;
  /** The circuit of its upstream: for its credentials, and for the way there. */
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
 * The right to ask a target once: counted in the circuits of the target and of its upstream, in the target's load and in
 * the upstream's limits. Its holder must say how the attempt ended; only the first `end` counts.
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

  /** How the attempt ended, once it has. */
  get outcome(): Outcome | undefined {
    return this.#outcome;
  }

  /** The answer has begun; after so many ms where its first event was waited for, and not its end. */
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

  /** Says so when what was done has opened or closed a circuit. */
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

/** What an outcome says of the way to the upstream: who answers, be it with a failure, was reached. */
function connectionOutcome(outcome: Outcome): Outcome {
  if (typeof outcome !== "object") return outcome;
  return outcome.code === "timeout" ? "abandoned" : "ok";
}

/** Whether a failure is that of all targets of an upstream. A limit may be one model's own. */
export function concernsUpstream(code: UpstreamErrorCode): boolean {
  const { blame } = FAILURES[code];
  return (blame === "credential" && code !== "rate-limited") || blame === "connection";
}

/** `upstream/model`, as clients address it. */
export function targetName({ upstream, model }: Target): string {
  return `${upstream.id}/${model}`;
}
