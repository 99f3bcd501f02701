import type { Clock } from "modelyard/kit";
import { fold } from "../run/events.ts";
import type { RunnerEvent } from "../run/events.ts";

/** How long, how many and how much is held. */
export const HOLD_LIMITS = {
  /** Milliseconds. */
  age: 10_000,
  /** Beside one for each run that waits for its execution's name. */
  executions: 256,
  /** UTF-16 units of text. */
  units: 4 * 1024 * 1024,
};

interface Held {
  readonly event: RunnerEvent;
  readonly since: number;
}

/**
 * Events of executions that aren't known yet, because they overtook the answer that names them. Contents are
 * cumulative, so all events of an execution fold into one.
 */
export class HeldEvents {
  readonly #held = new Map<string, Held>();
  readonly #clock: Clock;
  readonly #limits: typeof HOLD_LIMITS;
  #units = 0;

  constructor(clock: Clock, limits: typeof HOLD_LIMITS = HOLD_LIMITS) {
    this.#clock = clock;
    this.#limits = limits;
  }

  /**
   * Keeps an event, while so many runs wait for the names of their executions; gives the number of executions that had
   * to make room.
   */
  add(id: string, event: RunnerEvent, waiting: number): number {
    const now = this.#clock.now();
    const before = this.#held.get(id);
    const held = { event: fold(before?.event, event), since: before?.since ?? now };
    this.#held.set(id, held);
    this.#units += unitsOf(held) - (before ? unitsOf(before) : 0);
    return this.#makeRoom(now, waiting);
  }

  /** Takes out what is known of an execution. */
  take(id: string): RunnerEvent | undefined {
    const held = this.#held.get(id);
    if (held) this.#drop(id, held);
    return held?.event;
  }

  /** The execution that came first, if any. */
  first(): string | undefined {
    return this.#held.keys().next().value;
  }

  /** Forgets everything; gives the number of executions. */
  clear(): number {
    const dropped = this.#held.size;
    this.#held.clear();
    this.#units = 0;
    return dropped;
  }

  #drop(id: string, held: Held): void {
    this.#held.delete(id);
    this.#units -= unitsOf(held);
  }

  #makeRoom(now: number, waiting: number): number {
    const room = this.#limits.executions + waiting;
    let dropped = 0;
    for (const [id, held] of this.#held) {
      const isTooMuch = this.#held.size > room || this.#units > this.#limits.units;
      if (!isTooMuch && now - held.since <= this.#limits.age) continue;
      this.#drop(id, held);
      dropped++;
    }
    return dropped;
  }
}

function unitsOf({ event }: Held): number {
  return event.content?.length ?? 0;
}
