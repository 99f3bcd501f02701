import type { CallName, Counts } from "./records.ts";

const PATIENCE = 5_000;
const MAX_VIOLATIONS = 1_000;

interface Waiter {
  readonly check: () => void;
  readonly fail: (error: Error) => void;
}

/** What happened so far, and who waits for what. */
export class Journal implements Disposable {
  readonly counts: Counts = {
    signups: 0,
    refreshes: 0,
    verifications: 0,
    prompts: 0,
    runsStarted: 0,
    runsFinished: 0,
    runsFailed: 0,
    runsAbandoned: 0,
  };
  readonly calls: Record<CallName, number> = {
    signup: 0,
    refresh: 0,
    user: 0,
    createPrompt: 0,
    initiate: 0,
    connect: 0,
  };
  readonly violations: string[] = [];
  readonly #waiters = new Set<Waiter>();

  /** Counts a call that came; gives its number, from 1. */
  called(name: CallName): number {
    const nth = ++this.calls[name];
    this.changed();
    return nth;
  }

  /** Counts something that was done. */
  did(what: keyof Counts): void {
    this.counts[what]++;
    this.changed();
  }

  /** Records what no client should do. */
  violated(what: string): void {
    if (this.violations.length < MAX_VIOLATIONS) this.violations.push(what);
    this.changed();
  }

  /** Asks all who wait whether their time has come. */
  changed(): void {
    for (const waiter of this.#waiters) waiter.check();
  }

  waitFor(predicate: () => boolean, what: string): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = setTimeout(() => {
      const state = JSON.stringify({ counts: this.counts, calls: this.calls, violations: this.violations });
      waiter.fail(new Error(`waited ${PATIENCE} ms in vain for: ${what}; ${state}`));
    }, PATIENCE);
    const settle = (): void => {
      clearTimeout(timer);
      this.#waiters.delete(waiter);
    };
    const waiter: Waiter = {
      check: () => {
        try {
          if (!predicate()) return;
          settle();
          resolve();
        } catch (error) {
          waiter.fail(new Error(`while waiting for: ${what}`, { cause: error }));
        }
      },
      fail: (error) => {
        settle();
        reject(error);
      },
    };
    this.#waiters.add(waiter);
    waiter.check();
    return promise;
  }

  [Symbol.dispose](): void {
    for (const waiter of this.#waiters) waiter.fail(new Error("the emulator was stopped"));
  }
}
