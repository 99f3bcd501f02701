import type { GatewayLogger } from "../log.ts";
import { messageOf } from "../log.ts";

type Cleanup = () => void | Promise<void>;

// A clean-up that hangs must not prevent the process from exiting.
const CLEANUP_DEADLINE_MS = 5_000;

/** Runs registered clean-ups once, the last first. One that fails or hangs doesn't affect the others. */
export class Scope {
  readonly #cleanups: Cleanup[] = [];
  readonly #log: GatewayLogger;
  #closing: Promise<void> | undefined;

  constructor(log: GatewayLogger) {
    this.#log = log;
  }

  readonly defer = (cleanup: Cleanup): void => {
    this.#cleanups.push(cleanup);
  };

  close(): Promise<void> {
    return (this.#closing ??= this.#run());
  }

  async #run(): Promise<void> {
    for (let cleanup = this.#cleanups.pop(); cleanup; cleanup = this.#cleanups.pop()) {
      try {
        await withTimeout(CLEANUP_DEADLINE_MS, cleanup());
      } catch (error) {
        this.#log.error("clean-up failed", { error: messageOf(error) });
      }
    }
  }
}

/** Returns the result of a promise. Rejects after `ms` with an error whose message ends with `advice`. */
export async function withTimeout<T>(ms: number, promise: T | Promise<T>, advice = ""): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`it took longer than ${ms / 1000} s${advice}`)), ms);
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
