import type { CancelToken, Renewable } from "./cancel-token.ts";
import { standFor } from "./cancel-token.ts";

/** Called once. */
type Listener = () => void;

/**
 * Cancels work for a reason. The plain way is an `AbortController`, which each request would pay for though hardly any
 * is ever cancelled; this makes one only for code that asks for its `signal`.
 */
export class CancelSource<Reason extends Error> implements CancelToken {
  #listeners: Listener[] = [];
  #reason: Reason | undefined;
  #controller: AbortController | undefined;
  renewable: Renewable | undefined;

  /** The reason of the cancellation; undefined before it. */
  get reason(): Reason | undefined {
    return this.#reason;
  }

  get signal(): AbortSignal {
    this.#controller ??= this.#makeController();
    return this.#controller.signal;
  }

  #makeController(): AbortController {
    const controller = new AbortController();
    standFor(controller.signal, this);
    if (this.#reason !== undefined) controller.abort(this.#reason);
    return controller;
  }

  /** Throws the reason if this is cancelled. */
  throwIfCancelled(): void {
    if (this.#reason !== undefined) throw this.#reason;
  }

  listen(listener: Listener): void {
    if (this.#reason === undefined) this.#listeners.push(listener);
    else listener();
  }

  forget(listener: Listener): void {
    const index = this.#listeners.indexOf(listener);
    if (index >= 0) this.#listeners.splice(index, 1);
  }

  /** Cancels with `reason`. Does nothing if this is cancelled already. */
  cancel(reason: Reason): void {
    if (this.#reason !== undefined) return;
    this.#reason = reason;
    const listeners = this.#listeners;
    this.#listeners = [];
    this.#controller?.abort(reason);
    for (const listener of listeners) listener();
  }
}
