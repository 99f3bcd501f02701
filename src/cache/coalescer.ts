import { ByteBudget } from "../limits/byte-budget.ts";
import type { SharedCallOptions } from "./shared-call.ts";
import { SharedCall } from "./shared-call.ts";

export interface CoalescerOptions {
  /** The most that is kept of all answers together while they are under way, in bytes. */
  readonly maxSize: number;
  /** The most that is kept of one of them, in bytes. */
  readonly maxEntry: number;
}

/** What one flight is made for. */
export type SharedCallPlan = Pick<SharedCallOptions, "id" | "log" | "ask" | "complete">;

/** The calls to upstreams that are under way and can be joined, by the key of what they ask. */
export class Coalescer {
  readonly #options: CoalescerOptions;
  readonly #room: ByteBudget;
  readonly #running = new Map<string, SharedCall>();

  constructor(options: CoalescerOptions) {
    this.#options = options;
    this.#room = new ByteBudget(options.maxSize);
  }

  /** How many can be joined. */
  get running(): number {
    return this.#running.size;
  }

  /** What is kept of answers that are under way, in bytes. */
  get size(): number {
    return this.#room.used;
  }

  find(key: string): SharedCall | undefined {
    return this.#running.get(key);
  }

  /** Begins one, which others can join by its key; undefined: it is for one alone. */
  start(key: string | undefined, plan: SharedCallPlan): SharedCall {
    const flight = new SharedCall({
      ...plan,
      room: this.#room,
      maxSize: this.#options.maxEntry,
      shut: () => {
        if (key !== undefined) this.#running.delete(key);
      },
    });
    if (key !== undefined) this.#running.set(key, flight);
    return flight;
  }
}
