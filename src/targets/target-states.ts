import type { UpstreamErrorCode } from "../contract/index.ts";
import type { CircuitSettings, CircuitState } from "./circuit.ts";
import { Circuit } from "./circuit.ts";
import { Load } from "./load.ts";
import { RetryBudget } from "./retry-budget.ts";
import type { Target } from "./route-table.ts";
import type { CircuitChange, TargetState } from "./attempt-permit.ts";
import { targetName, AttemptPermit } from "./attempt-permit.ts";

// `upstream/model` can name any model, so clients could make up any number of targets.
const MAX_TARGETS = 2_000;

export interface TargetStateSettings {
  readonly health: CircuitSettings;
  /** The share of an upstream's calls that may be retries. */
  readonly retryShare: number;
  /** Called when a circuit opens or closes. */
  readonly onCircuitChange?: (change: CircuitChange) => void;
}

/** A request's properties for an attempt at a target. */
export interface AttemptEntry {
  /** Whether the request was at this target, or upstream, before. */
  readonly isRepeat: { readonly target: boolean; readonly upstream: boolean };
  /** Whether it may pass an open circuit, because no other target is left. */
  readonly isLastResort: boolean;
  /** Returns a hash of the request body; called only after a failure. */
  readonly body: () => string | number | bigint;
  /** The attempt's permit of the upstream's limits, disposed at its end. */
  readonly limitPermit?: Disposable | undefined;
}

/** Keeps the health and load of every target, and the health and retry budget of every upstream. */
export class TargetStates {
  readonly #settings: TargetStateSettings;
  readonly #states = new Map<string, TargetState>();
  readonly #upstreams = new Map<string, UpstreamState>();
  readonly #now: () => number;
  // Each request looks the same target up several times.
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
      // If no state may be evicted, the new one isn't kept.
      if (this.#states.size < MAX_TARGETS || this.#evictOne()) this.#states.set(name, state);
    }
    return state;
  }

  /** Returns the current load of a target. */
  loadOf(target: Target): { readonly busy: number; readonly firstEvent: number | undefined } {
    const { load } = this.of(target);
    return { busy: load.busy, firstEvent: load.firstEvent(this.#now()) };
  }

  /** Returns the ms until a request may pass the target's circuits; 0: now. */
  wait(target: Target): number {
    const { circuit, upstream } = this.of(target);
    const now = this.#now();
    return Math.max(circuit.wait(now), upstream.wait(now));
  }

  /** Returns the failure that opened a target's circuit. */
  cause(target: Target): UpstreamErrorCode {
    const { circuit, upstream } = this.of(target);
    const now = this.#now();
    return (upstream.wait(now) >= circuit.wait(now) ? upstream : circuit).cause;
  }

  /** Returns a permit for an attempt; undefined while the circuit of the target or of its upstream is open. */
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

  /** Yields the circuits of recent targets (`upstream/model`) and of upstreams (`upstream/*`). */
  *circuits(): Generator<{ readonly target: string; readonly state: CircuitState }> {
    const now = this.#now();
    for (const [target, { circuit }] of this.#states) yield { target, state: circuit.state(now) };
    for (const [id, { circuit }] of this.#upstreams) yield { target: `${id}/*`, state: circuit.state(now) };
  }

  /** Counts a request's first call to an upstream for its retry budget. */
  recordCall(upstream: string): void {
    this.#upstream(upstream).budget.recordCall(this.#now());
  }

  /** Takes one retry from an upstream's budget; returns false if it is exhausted. */
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

  /** Evicts the oldest idle state with the lowest rank, never an open circuit; returns false if there is none. */
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

/** The health and retry budget of one upstream. */
interface UpstreamState {
  readonly circuit: Circuit;
  readonly budget: RetryBudget;
}

/** Rank of states that must not be evicted: open circuits and targets in use. */
const UNEVICTABLE = 3;

/** Returns the rank of a state: the lowest is evicted first. */
function evictionRank({ circuit, load }: TargetState, now: number): number {
  const worth = circuit.worth(now);
  if (load.busy > 0 || worth === "rest") return UNEVICTABLE;
  if (worth === "failures") return 2;
  return load.firstEvent(now) === undefined ? 0 : 1;
}
