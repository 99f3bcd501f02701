import { ByteBudget } from "../limits/byte-budget.ts";
import type { SharedCallOptions } from "./shared-call.ts";
import { SharedCall } from "./shared-call.ts";

export interface CoalescerOptions {
  /** The most that is kept of all answers together while they are under way, in bytes. */
  readonly maxSize: number;
  /** The most that is kept of one of them, in bytes. */
  readonly maxEntry: number;
}

/** What a shared call is started with. */
export type SharedCallPlan = Pick<SharedCallOptions, "id" | "headers" | "log" | "ask" | "complete">;

/** The upstream calls that are under way and can be joined, by cache key. */
export class Coalescer {
  readonly #options: CoalescerOptions;
  readonly #room: ByteBudget;
  readonly #running = new Map<string, SharedCall>();

  constructor(options: CoalescerOptions) {
    this.#options = options;
    this.#room = new ByteBudget(options.maxSize);
  }

  /** The number of calls that can be joined. */
  get running(): number {
    return this.#running.size;
  }

  /** The bytes kept of answers that are under way. */
  get size(): number {
    return this.#room.used;
  }

  find(key: string): SharedCall | undefined {
    return this.#running.get(key);
  }

  /** Starts a call that others can join by its key; without a key it is for one request alone. */
  start(key: string | undefined, plan: SharedCallPlan): SharedCall {
    const call = new SharedCall({
      ...plan,
      room: this.#room,
      maxSize: this.#options.maxEntry,
      shut: () => {
        if (key !== undefined) this.#running.delete(key);
      },
    });
    if (key !== undefined) this.#running.set(key, call);
    return call;
  }
}
