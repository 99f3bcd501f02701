import type { GatewayError } from "../errors/gateway-error.ts";

/** A request in flight, as the registry sees it. */
export interface RunningCall {
  abort(reason: GatewayError): void;
  /** It takes longer than most: from now on it is to end when its client leaves. */
  watch(): void;
}

/** To look whether the client is still there costs a quick answer a twentieth of its price, and nobody has left yet. */
const WATCH_AFTER_MS = 20;

/** The requests in flight, so that those of clients who leave end, and shutting down can wait for the others. */
export class InFlightRequests {
  readonly #new = new Set<RunningCall>();
  readonly #watched = new Set<RunningCall>();
  #isWatchScheduled = false;
  #idle: PromiseWithResolvers<void> | undefined;
  #draining = false;

  /** True once no new requests are to be taken. */
  get draining(): boolean {
    return this.#draining;
  }

  get running(): number {
    return this.#new.size + this.#watched.size;
  }

  add(call: RunningCall): void {
    this.#new.add(call);
    if (this.#isWatchScheduled) return;
    this.#isWatchScheduled = true;
    setTimeout(this.#watchNew, WATCH_AFTER_MS);
  }

  delete(call: RunningCall): void {
    if (!this.#new.delete(call)) this.#watched.delete(call);
    if (this.running === 0) this.#idle?.resolve();
  }

  /** From now on new requests are refused; resolves when those in flight have ended. */
  drain(): Promise<void> {
    this.#draining = true;
    this.#idle ??= Promise.withResolvers();
    if (this.running === 0) this.#idle.resolve();
    return this.#idle.promise;
  }

  /** Ends all that are still in flight. */
  abort(reason: GatewayError): void {
    for (const call of [...this.#new, ...this.#watched]) call.abort(reason);
  }

  readonly #watchNew = (): void => {
    this.#isWatchScheduled = false;
    const calls = [...this.#new];
    this.#new.clear();
    for (const call of calls) {
      this.#watched.add(call);
      // It may end by that.
      call.watch();
    }
  };
}
