import type { CancelToken, Renewable } from "./cancel-token.ts";
import { standFor } from "./cancel-token.ts";

/** Told once. */
type Listener = () => void;

/**
 * What an AbortSignal is to strangers, among ourselves: the end of work before its time, for a reason. Each request
 * has one, hardly any is ever cancelled, and this one costs next to nothing until then.
 */
export class CancelSource<Reason extends Error> implements CancelToken {
  #listeners: Listener[] = [];
  #reason: Reason | undefined;
  #controller: AbortController | undefined;
  renewable: Renewable | undefined;

  /** Why; undefined as long as it isn't cancelled. */
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

  /** Throws the reason once there is one. */
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

  /** Only the first reason counts. */
  cancel(reason: Reason): void {
    if (this.#reason !== undefined) return;
    this.#reason = reason;
    const listeners = this.#listeners;
    this.#listeners = [];
    this.#controller?.abort(reason);
    for (const listener of listeners) listener();
  }
}
