import type { Clock } from "modelyard/kit";
import { fold } from "../run/events.ts";
import type { RunnerEvent } from "../run/events.ts";

/** The limits of pending events. */
export const PENDING_LIMITS = {
  /** Milliseconds. */
  age: 10_000,
  /** Added to one for each run that waits for its id. */
  executions: 256,
  /** UTF-16 units of text. */
  units: 4 * 1024 * 1024,
};

interface PendingExecution {
  readonly event: RunnerEvent;
  readonly since: number;
}

/**
 * Buffers the events of unknown executions, which can arrive before the answer that reports their id. Contents are
 * cumulative, so all events of an execution merge into one.
 */
export class PendingEvents {
  readonly #pending = new Map<string, PendingExecution>();
  readonly #clock: Clock;
  readonly #limits: typeof PENDING_LIMITS;
  #units = 0;

  constructor(clock: Clock, limits: typeof PENDING_LIMITS = PENDING_LIMITS) {
    this.#clock = clock;
    this.#limits = limits;
  }

  /**
   * Adds an event. `waiting` is the number of runs that wait for their id. Returns the number of executions that were
   * evicted.
   */
  add(id: string, event: RunnerEvent, waiting: number): number {
    const now = this.#clock.now();
    const before = this.#pending.get(id);
    const held = { event: fold(before?.event, event), since: before?.since ?? now };
    this.#pending.set(id, held);
    this.#units += unitsOf(held) - (before ? unitsOf(before) : 0);
    return this.#evict(now, waiting);
  }

  /** Removes and returns the merged event of an execution. */
  take(id: string): RunnerEvent | undefined {
    const held = this.#pending.get(id);
    if (held) this.#drop(id, held);
    return held?.event;
  }

  /** Returns the id of the oldest execution, if any. */
  first(): string | undefined {
    return this.#pending.keys().next().value;
  }

  /** Drops everything and returns the number of executions. */
  clear(): number {
    const dropped = this.#pending.size;
    this.#pending.clear();
    this.#units = 0;
    return dropped;
  }

  #drop(id: string, held: PendingExecution): void {
    this.#pending.delete(id);
    this.#units -= unitsOf(held);
  }

  #evict(now: number, waiting: number): number {
    const room = this.#limits.executions + waiting;
    let dropped = 0;
    for (const [id, held] of this.#pending) {
      const isTooMuch = this.#pending.size > room || this.#units > this.#limits.units;
      if (!isTooMuch && now - held.since <= this.#limits.age) continue;
      this.#drop(id, held);
      dropped++;
    }
    return dropped;
  }
}

function unitsOf({ event }: PendingExecution): number {
  return event.content?.length ?? 0;
}
