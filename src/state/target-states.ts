import type { UpstreamErrorCode } from "../contract/index.ts";
import type { CircuitSettings, CircuitState, Outcome, Pass } from "./circuit.ts";
import { Circuit } from "./circuit.ts";
import { Load } from "./load.ts";
import { RetryBudget } from "./retry-budget.ts";
import type { Target } from "./route-table.ts";

// `upstream/model` can name any model, so what is known of targets must not grow with what clients think of.
const MAX_TARGETS = 2_000;

export interface TargetStateSettings {
  readonly health: CircuitSettings;
  /** The share of an upstream's calls that may be retries. */
  readonly retryShare: number;
  /** Told when a target's circuit opens or closes. */
  readonly changed?: (change: CircuitChange) => void;
}

export interface CircuitChange {
  /** `upstream/model` */
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
  readonly load: Load;
}

/** One request's stay at a target; it must say how it ended, and only the first word counts. */
export interface Visit {
  /** The answer has begun; after so many ms where its first event was waited for, and not its end. */
  answered(ms?: number): void;
  ended(outcome: Outcome): void;
}

/** The health and the load of every target, and the retry budget of every upstream. */
export class TargetStates {
  readonly #settings: TargetStateSettings;
  readonly #states = new Map<string, TargetState>();
  readonly #budgets = new Map<string, RetryBudget>();
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
      state = { circuit: new Circuit(this.#settings.health), load: new Load() };
      if (this.#states.size >= MAX_TARGETS) this.#forgetOne();
      this.#states.set(name, state);
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
    return this.of(target).circuit.wait(this.#now());
  }

  /** Lets a request go there; undefined while the target's circuit is open. */
  enter(target: Target): Visit | undefined {
    const { circuit, load } = this.of(target);
    const pass = circuit.enter(this.#now());
    if (!pass) return undefined;
    load.began();
    return new TargetVisit(
      target,
      { circuit, load },
      { pass, now: this.#now, changed: this.#settings.changed },
    );
  }

  /** The circuits of the targets that were asked lately, by `upstream/model`. */
  *circuits(): Generator<{ readonly target: string; readonly state: CircuitState }> {
    const now = this.#now();
    for (const [target, { circuit }] of this.#states) yield { target, state: circuit.state(now) };
  }

  /** A request's first call to an upstream, by which its retry budget is measured. */
  called(upstream: string): void {
    this.#budget(upstream).called(this.#now());
  }

  /** Takes one retry from an upstream's budget, if there is one. */
  mayRetry(upstream: string): boolean {
    return this.#budget(upstream).take(this.#now());
  }

  #budget(upstream: string): RetryBudget {
    let budget = this.#budgets.get(upstream);
    if (!budget) {
      budget = new RetryBudget(this.#settings.retryShare);
      this.#budgets.set(upstream, budget);
    }
    return budget;
  }

  /** The oldest that nobody is at. */
  #forgetOne(): void {
    for (const [name, { load }] of this.#states) {
      if (load.busy > 0) continue;
      this.#states.delete(name);
      return;
    }
  }
}

interface VisitOptions {
  readonly pass: Pass;
  readonly now: () => number;
  readonly changed: ((change: CircuitChange) => void) | undefined;
}

class TargetVisit implements Visit {
  readonly #target: Target;
  readonly #state: TargetState;
  readonly #options: VisitOptions;
  #isOver = false;

  constructor(target: Target, state: TargetState, options: VisitOptions) {
    this.#target = target;
    this.#state = state;
    this.#options = options;
  }

  answered(ms?: number): void {
    const now = this.#options.now();
    const before = this.#state.circuit.state(now);
    this.#options.pass.answered();
    this.#tell(before, now);
    if (ms !== undefined) this.#state.load.answeredAfter(ms, now);
  }

  ended(outcome: Outcome): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#state.load.ended();
    const now = this.#options.now();
    const before = this.#state.circuit.state(now);
    this.#options.pass.ended(outcome, now);
    this.#tell(before, now);
  }

  /** Says so when what was done has opened or closed the target's circuit. */
  #tell(before: CircuitState, now: number): void {
    const { circuit } = this.#state;
    const state = circuit.state(now);
    if (state === before) return;
    const ms = Math.round(circuit.wait(now));
    this.#options.changed?.({ target: targetName(this.#target), state, cause: circuit.cause, ms });
  }
}

/** `upstream/model`, as clients address it. */
export function targetName({ upstream, model }: Target): string {
  return `${upstream.id}/${model}`;
}
