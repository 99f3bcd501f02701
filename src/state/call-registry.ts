import type { RequestError } from "../dialects/request-error.ts";

/** A request in flight, as the registry sees it. */
export interface RunningCall {
  abort(reason: RequestError): void;
}

/** The requests in flight, so that shutting down can wait for them. */
export class CallRegistry {
  readonly #running = new Set<RunningCall>();
  #idle: PromiseWithResolvers<void> | undefined;
  #draining = false;

  /** True once no new requests are to be taken. */
  get draining(): boolean {
    return this.#draining;
  }

  get running(): number {
    return this.#running.size;
  }

  add(call: RunningCall): void {
    this.#running.add(call);
  }

  delete(call: RunningCall): void {
    this.#running.delete(call);
    if (this.#running.size === 0) this.#idle?.resolve();
  }

  /** From now on new requests are refused; resolves when those in flight have ended. */
  drain(): Promise<void> {
    this.#draining = true;
    this.#idle ??= Promise.withResolvers();
    if (this.#running.size === 0) this.#idle.resolve();
    return this.#idle.promise;
  }

  /** Ends all that are still in flight. */
  abort(reason: RequestError): void {
    for (const call of this.#running) call.abort(reason);
  }
}
