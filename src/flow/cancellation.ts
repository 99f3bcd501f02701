/** Told once. */
type Listener = () => void;

/**
 * What an AbortSignal is to strangers, among ourselves: the end of work before its time, for a reason. Each request
 * has one, hardly any is ever cancelled, and this one costs next to nothing until then.
 */
export class Cancellation<Reason extends Error> {
  #listeners: Listener[] = [];
  #reason: Reason | undefined;

  /** Why; undefined as long as it isn't cancelled. */
  get reason(): Reason | undefined {
    return this.#reason;
  }

  /** Throws the reason once there is one. */
  throwIfCancelled(): void {
    if (this.#reason !== undefined) throw this.#reason;
  }

  /** `listener` is called once when it is cancelled; at once if it is already. */
  listen(listener: Listener): void {
    if (this.#reason === undefined) this.#listeners.push(listener);
    else listener();
  }

  /** `listener` need not be called any more. */
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
    for (const listener of listeners) listener();
  }
}
