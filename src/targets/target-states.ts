import type { UpstreamErrorCode } from "../contract/index.ts";
import type { CircuitSettings, CircuitState } from "./circuit.ts";
import { Circuit } from "./circuit.ts";
import { Load } from "./load.ts";
import { RetryBudget } from "./retry-budget.ts";
import type { Target } from "./route-table.ts";
import type { CircuitChange, TargetState } from "./attempt-permit.ts";
import { targetName, AttemptPermit } from "./attempt-permit.ts";

// `upstream/model` can name any model, so what is known of targets must not grow with what clients think of.
const MAX_TARGETS = 2_000;

export interface TargetStateSettings {
  readonly health: CircuitSettings;
  /** The share of an upstream's calls that may be retries. */
  readonly retryShare: number;
  /** Told when a target's circuit opens or closes. */
  readonly onCircuitChange?: (change: CircuitChange) => void;
}

/** What a request says of itself when it goes to a target. */
export interface AttemptEntry {
  /** It has been at this target before, or at the upstream. */
  readonly isRepeat: { readonly target: boolean; readonly upstream: boolean };
  /** It goes there although the target rests, because nothing else is left for it. */
  readonly isLastResort: boolean;
  /** Tells request bodies apart; asked only after a failure. */
  readonly body: () => string | number | bigint;
  /** What the attempt holds of the upstream's limits: disposed of at its end. */
  readonly limitPermit?: Disposable | undefined;
}

/** The health and the load of every target, and the health and the retry budget of every upstream. */
export class TargetStates {
  readonly #settings: TargetStateSettings;
  readonly #states = new Map<string, TargetState>();
  readonly #upstreams = new Map<string, UpstreamState>();
  readonly #now: () => number;
  // Each request asks for the same one several times, by the same object.
  #lastTarget: Target | undefined;
  #lastState: TargetState | undefined;

  constructor(settings: TargetStateSettings, now: () => number = () => performance.now()) {
    this.#settings = settings;
    this.#now = now;
  }

  of(target: Target): TargetState {
    if (target !== this.#lastTarget || !this.#lastState) {
      this.#lastState = this.#find(target);
      this.#lastTarget = target;
    }
    return this.#lastState;
  }

  #find(target: Target): TargetState {
    const name = targetName(target);
    let state = this.#states.get(name);
    if (!state) {
      const { health } = this.#settings;
      const upstream = this.#upstream(target.upstream.id).circuit;
      state = { circuit: new Circuit(health), upstream, load: new Load() };
      // Where all that is known says more, this one is known to its own request alone.
      if (this.#states.size < MAX_TARGETS || this.#evictOne()) this.#states.set(name, state);
    }
    return state;
  }

  /** How busy and how quick a target is now. */
  loadOf(target: Target): { readonly busy: number; readonly firstEvent: number | undefined } {
    const { load } = this.of(target);
    return { busy: load.busy, firstEvent: load.firstEvent(this.#now()) };
  }

  /** Milliseconds until a request may go there; 0: now. */
  wait(target: Target): number {
    const { circuit, upstream } = this.of(target);
    const now = this.#now();
    return Math.max(circuit.wait(now), upstream.wait(now));
  }

  /** Why a target rests, while it does. */
  cause(target: Target): UpstreamErrorCode {
    const { circuit, upstream } = this.of(target);
    const now = this.#now();
    return (upstream.wait(now) >= circuit.wait(now) ? upstream : circuit).cause;
  }

  /** Lets a request go there; undefined while the circuit of the target or of its upstream is open. */
  enter(
    target: Target,
    { isRepeat, isLastResort, body, limitPermit }: AttemptEntry,
  ): AttemptPermit | undefined {
    const state = this.of(target);
    const now = this.#now();
    if (isLastResort && !state.upstream.allowsLastResort(now)) return undefined;
    if (!isLastResort && state.upstream.wait(now) > 0) return undefined;
    const permit = state.circuit.enter(now, { isRepeat: isRepeat.target, isLastResort, body });
    const upstreamPermit =
      permit && state.upstream.enter(now, { isRepeat: isRepeat.upstream, isLastResort, body });
    if (!upstreamPermit) return undefined;
    state.load.start();
    return new AttemptPermit(target, state, {
      permit,
      upstreamPermit,
      limitPermit,
      now: this.#now,
      onCircuitChange: this.#settings.onCircuitChange,
    });
  }

  /** The circuits of the targets that were asked lately, by `upstream/model`, and of upstreams, by `upstream/*`. */
  *circuits(): Generator<{ readonly target: string; readonly state: CircuitState }> {
    const now = this.#now();
    for (const [target, { circuit }] of this.#states) yield { target, state: circuit.state(now) };
    for (const [id, { circuit }] of this.#upstreams) yield { target: `${id}/*`, state: circuit.state(now) };
  }

  /** A request's first call to an upstream, by which its retry budget is measured. */
  recordCall(upstream: string): void {
    this.#upstream(upstream).budget.recordCall(this.#now());
  }

  /** Takes one retry from an upstream's budget, if there is one. */
  takeRetry(upstream: string): boolean {
    return this.#upstream(upstream).budget.take(this.#now());
  }

  #upstream(id: string): UpstreamState {
    let state = this.#upstreams.get(id);
    if (!state) {
      const { health, retryShare } = this.#settings;
      state = { circuit: new Circuit(health), budget: new RetryBudget(retryShare) };
      this.#upstreams.set(id, state);
    }
    return state;
  }

  /** Forgets the oldest that nobody is at and that says least, never one that rests; false if there is none. */
  #evictOne(): boolean {
    const now = this.#now();
    let least: { readonly name: string; readonly rank: number } | undefined;
    for (const [name, state] of this.#states) {
      const rank = evictionRank(state, now);
      if (rank < (least?.rank ?? UNEVICTABLE)) least = { name, rank };
      if (rank === 0) break;
    }
    return least !== undefined && this.#states.delete(least.name);
  }
}

/** What the gateway has seen of one upstream, whatever the model. */
interface UpstreamState {
  readonly circuit: Circuit;
  readonly budget: RetryBudget;
}

/** What may not be forgotten: a target that is kept away from, or is in use. */
const UNEVICTABLE = 3;

/** How much what is known of a target says. */
function evictionRank({ circuit, load }: TargetState, now: number): number {
  const worth = circuit.worth(now);
  if (load.busy > 0 || worth === "rest") return UNEVICTABLE;
  if (worth === "failures") return 2;
  return load.firstEvent(now) === undefined ? 0 : 1;
}
